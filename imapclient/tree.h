/*
 * tree.h: from the text of a response to its tree of values (RFC 9051 section 9).
 *
 * For the parser alone. A response is scanned in segments: a literal ends one, and the next goes on
 * behind it. Values refer to the text by offset until the response is whole, so that the text may
 * move while it grows.
 */
#pragma once

#include "limits.h"
#include "value.h"

/* How the scan of a segment ended. */
typedef enum {
    IMAP_SCAN_END,     /* at its end, all lists closed */
    IMAP_SCAN_BRACKET, /* behind the ']' that ends a response code */
    IMAP_SCAN_LITERAL, /* a literal follows */
    IMAP_SCAN_BROKEN,  /* against the grammar; what was scanned so far can be used */
    IMAP_SCAN_REFUSED, /* beyond a bound, or so broken that the place in the stream is unsure */
} ImapScanEnd;

typedef enum {
    IMAP_SCAN_DATA,
    IMAP_SCAN_FETCH, /* also takes "BODY[… (…)]<0>" as one atom */
    IMAP_SCAN_CODE,  /* the content of a response code, up to its ']' */
} ImapScanMode;

/*
 * open: the items of all lists that are not closed, each list's behind those of the list around
 * it; starts[0..depth) tells where. closed: the items of closed lists, each list's in a row.
 * Neither holds more than IMAP_MAX_ITEMS. What has a literal has it in `literals`, which owns it.
 */
typedef struct {
    GArray *open;
    GArray *closed;
    guint starts[IMAP_MAX_DEPTH];
    unsigned depth;
    bool has_literal; /* and what is scanned next is behind one */
    GPtrArray *literals;
    const char *problem;   /* behind BROKEN and REFUSED: what was wrong */
    uint64_t literal_size; /* behind LITERAL: as declared, UINT64_MAX for all beyond */
} ImapTree;

void imap_tree_init(ImapTree *tree);
void imap_tree_clear(ImapTree *tree); /* frees what init and the scans made */
/* Forgets the values, to begin with another response. Large arenas are given back. */
void imap_tree_reset(ImapTree *tree);

/*
 * Scans line from *position to end; line[end] must be readable. *position is where it stopped: the
 * place of the problem, or behind the ']'. line has neither NUL nor LF in this stretch.
 */
ImapScanEnd imap_tree_scan(ImapTree *tree, const char *line, size_t *position, size_t end,
                           ImapScanMode mode);

/* Whether line[start..end) ends with the announcement of a literal. */
bool imap_tree_announces(const char *line, size_t start, size_t end);

/* The atom right ahead of the place reached, in the outermost list; NULL where there is none. */
const ImapValue *imap_tree_item(const ImapTree *tree);

/* Adds the literal that was announced. bytes (taken; NULL: thrown away) have a NUL behind them. */
void imap_tree_add_literal(ImapTree *tree, uint64_t length, GBytes *bytes);

/*
 * The response is whole: makes *list of the values. Lists that are not closed end here. Writes NULs
 * into line, and takes the escapes out of its quoted strings.
 */
void imap_tree_finish(ImapTree *tree, char *line, ImapValue *list);
