#include "imap_transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What comes in, and its transcript; where that ends with "! …", the message only begins so. */
typedef struct {
    const char *input;
    size_t length;
    const char *expected;
} Case;

#define IN(text) text, sizeof(text) - 1

#define BROKE "! the server broke the IMAP protocol "

static const Case cases[] = {
    /* statuses and their codes */
    {IN("* OK ready\r\n"), "* OK |ready\n"},
    {IN("* ok ready\r\n"), "* OK |ready\n"},
    {IN("* OK\r\n"), "* OK\n"},
    {IN("* OK \r\n"), "* OK\n"},
    {IN("* PREAUTH hello\r\n"), "* PREAUTH |hello\n"},
    {IN("* BYE so long\r\n"), "* BYE |so long\n"},
    {IN("* NO Trying [again] (soon) {5}\r\n"), "* NO |Trying [again] (soon) {5}\n"},
    {IN("* BAD \"what\r\n"), "* BAD |\"what\n"},
    {IN("* OK 8-bit \xc3\xa9 and\ttab\r\n"), "* OK |8-bit \\xc3\\xa9 and\\x09tab\n"},
    {IN("* OK a\rb\r\n"), "* OK |a b\n"},
    {IN("* OK [UIDNEXT 4] Predicted\r\n"), "* OK [UIDNEXT 4] |Predicted\n"},
    {IN("* OK [UIDNEXT 4]\r\n"), "* OK [UIDNEXT 4]\n"},
    {IN("* OK [ALERT]now [really]\r\n"), "* OK [ALERT] |now [really]\n"},
    {IN("* OK [PERMANENTFLAGS (\\* \\Seen $A]b)] x\r\n"),
     "* OK [PERMANENTFLAGS (\\* \\Seen $A]b)] |x\n"},
    {IN("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"),
     "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] |hi\n"},
    {IN("A1 OK [COPYUID 1 2:3 4:5] done\r\n"), "A1 OK [COPYUID 1 2:3 4:5] |done\n"},
    {IN("A1 OK [APPENDUID 38505 3955]\r\n"), "A1 OK [APPENDUID 38505 3955]\n"},
    {IN("A1 NO [BADCHARSET (\"x\" {5})] no\r\n"), "A1 NO [BADCHARSET (\"x\" {5})] |no\n"},
    {IN("A1 NO [REFERRAL imap://a;AUTH=*@h/;UID=1?x=y] go\r\n"),
     "A1 NO [REFERRAL imap://a;AUTH=*@h/;UID=1?x=y] |go\n"},
    {IN("A1 NO [X \"a\\\\\\\"b\" NIL] x\r\n"), "A1 NO [X \"a\\\"b\" NIL] |x\n"},
    {IN("A1 BAD\r\n"), "A1 BAD\n"},
    /* codes that are none stay in the text, as they came */
    {IN("* OK [UIDNEXT 4 text\r\n"), "* OK |[UIDNEXT 4 text\n"},
    {IN("* OK [] text\r\n"), "* OK |[] text\n"},
    {IN("* OK [(a) b] text\r\n"), "* OK |[(a) b] text\n"},
    {IN("* OK [\"ALERT\"] text\r\n"), "* OK |[\"ALERT\"] text\n"},
    {IN("* OK [NIL] text\r\n"), "* OK |[NIL] text\n"},
    {IN("* OK [FLAGS (a b] text\r\n"), "* OK |[FLAGS (a b] text\n"},
    {IN("* OK [X a)] text\r\n"), "* OK |[X a)] text\n"},
    {IN("* OK [X it's \"so\\\"] text\r\n"), "* OK |[X it's \"so\\\"] text\n"},
    {IN("* OK [X \"a\\\"b\" (] text\r\n"), "* OK |[X \"a\\\"b\" (] text\n"},
    {IN("* OK [\r\n"), "* OK |[\n"},
    /* continuations */
    {IN("+ go on\r\n"), "+ |go on\n"},
    {IN("+\r\n"), "+\n"},
    {IN("+ \r\n"), "+\n"},
    {IN("+idling\r\n"), "+ |idling\n"},
    {IN("+ PDEyMz4=\r\n"), "+ |PDEyMz4=\n"},
    {IN("+ [ALERT] {3}\r\n"), "+ |[ALERT] {3}\n"},
    /* data */
    {IN("* 23 EXISTS\r\n"), "* 23 EXISTS\n"},
    {IN("* 0 RECENT\r\n"), "* RECENT\n"},
    {IN("* 44 expunge\r\n"), "* 44 EXPUNGE\n"},
    {IN("* 18446744073709551615 EXISTS\r\n"), "* 18446744073709551615 EXISTS\n"},
    {IN("* CAPABILITY IMAP4rev2 LITERAL+ UTF8=ACCEPT\r\n"),
     "* CAPABILITY IMAP4rev2 LITERAL+ UTF8=ACCEPT\n"},
    {IN("* CAPABILITY\r\n"), "* CAPABILITY\n"},
    {IN("* ENABLED CONDSTORE\r\n"), "* ENABLED CONDSTORE\n"},
    {IN("* SEARCH\r\n"), "* SEARCH\n"},
    {IN("* SEARCH 2 84  882 \r\n"), "* SEARCH 2 84 882\n"},
    {IN("* ESEARCH (TAG \"A282\") UID MIN 7 ALL 1:3,5\r\n"),
     "* ESEARCH (TAG \"A282\") UID MIN 7 ALL 1:3,5\n"},
    {IN("* FLAGS (\\Answered {x~ \\)\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* FLAGS (\\Answered \\* $MDNSent [odd] a]b c\"d %* \xe9 x{~ ~x \\)\r\n"),
     "* FLAGS (\\Answered \\* $MDNSent [odd] a]b c\"d %* \\xe9 x{~ ~x \\)\n"},
    {IN("* LIST (\\HasNoChildren) \"/\" INBOX\r\n"), "* LIST (\\HasNoChildren) \"/\" INBOX\n"},
    {IN("* LIST () NIL \"a\\\\b\\\"c\\d\"\r\n"), "* LIST () NIL \"a\\b\"c\\d\"\n"},
    {IN("* LIST () \"\\\\\" {3}\r\na\"b\r\n"),
     "literal LIST 0 - 3 keep\n* LIST () \"\\\" \"a\"b\"\n"},
    {IN("* LIST (\\Sub) \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"),
     "* LIST (\\Sub) \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"},
    {IN("* LIST () \"/\" [Gmail]/All\r\n"), "* LIST () \"/\" [Gmail]/All\n"},
    {IN("* LIST () \"/\" \"\xc3\xa9\"\r\n"), "* LIST () \"/\" \"\\xc3\\xa9\"\n"},
    {IN("* LIST () \"/\" \"\"\r\n"), "* LIST () \"/\" \"\"\n"},
    {IN("* LSUB () \".\" #news.comp\r\n"), "* LSUB () \".\" #news.comp\n"},
    {IN("* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"),
     "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\n"},
    {IN("* NAMESPACE ((\"\" \"/\")(\"~\" \"/\")) NIL ((\"#\" NIL))\r\n"),
     "* NAMESPACE ((\"\" \"/\") (\"~\" \"/\")) NIL ((\"#\" NIL))\n"},
    {IN("* QUOTA \"\" (STORAGE 10 512)\r\n"), "* QUOTA \"\" (STORAGE 10 512)\n"},
    {IN("* QUOTAROOT INBOX \"\"\r\n"), "* QUOTAROOT INBOX \"\"\n"},
    {IN("* VANISHED (EARLIER) 41,43:116\r\n"), "* VANISHED (EARLIER) 41,43:116\n"},
    {IN("* ID (\"name\" \"Cyrus\" \"os\" nil)\r\n"), "* ID (\"name\" \"Cyrus\" \"os\" NIL)\n"},
    {IN("* ID NIL\r\n"), "* ID NIL\n"},
    /* FETCH */
    {IN("* 12 FETCH (UID 5 FLAGS (\\Seen) INTERNALDATE \" 7-Nov-2026 19:05:07 +0000\" "
        "RFC822.SIZE 4423 MODSEQ (9))\r\n"),
     "* 12 FETCH (UID 5 FLAGS (\\Seen) INTERNALDATE \" 7-Nov-2026 19:05:07 +0000\" "
     "RFC822.SIZE 4423 MODSEQ (9))\n"},
    {IN("* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<0> \"x\" UID 2)\r\n"),
     "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<0> \"x\" UID 2)\n"},
    {IN("* 1 FETCH (body[1.2.HEADER.FIELDS.NOT (\"a]\\\"\" b)] nil)\r\n"),
     "* 1 FETCH (body[1.2.HEADER.FIELDS.NOT (\"a]\\\"\" b)] NIL)\n"},
    {IN("* 1 FETCH (BODY[TEXT]<0> NIL BODY[] \"\")\r\n"),
     "* 1 FETCH (BODY[TEXT]<0> NIL BODY[] \"\")\n"},
    {IN("* 1 FETCH (BINARY[1]<0> ~{3}\r\na\0b BINARY.SIZE[1] 3)\r\n"),
     "literal FETCH 1 BINARY[1]<0> 3 keep\n"
     "* 1 FETCH (BINARY[1]<0> \"a\\x00b\" BINARY.SIZE[1] 3)\n"},
    {IN("* 1 FETCH (FLAGS (a[b \\Seen) BODY[TEXT] \"t\")\r\n"),
     "* 1 FETCH (FLAGS (a[b \\Seen) BODY[TEXT] \"t\")\n"},
    {IN("* 1 FETCH (ENVELOPE ({2}\r\nab NIL))\r\n"),
     "literal FETCH 1 - 2 keep\n* 1 FETCH (ENVELOPE (\"ab\" NIL))\n"},
    {IN("* 1 FETCH (BODY[HEADER] {4}\r\na\r\n) BODY[TEXT]<0> {2+}\r\n)) UID 3)\r\n"),
     "literal FETCH 1 BODY[HEADER] 4 keep\nliteral FETCH 1 BODY[TEXT]<0> 2 keep\n"
     "* 1 FETCH (BODY[HEADER] \"a\\x0d\\x0a)\" BODY[TEXT]<0> \"))\" UID 3)\n"},
    {IN("* 1 FETCH (BODY[]{2}\r\nab)\r\n"),
     "literal FETCH 1 BODY[] 2 keep\n* 1 FETCH (BODY[] \"ab\")\n"},
    {IN("* 1 FETCH (BINARY[]~{2}\r\nab)\r\n"),
     "literal FETCH 1 BINARY[] 2 keep\n* 1 FETCH (BINARY[] \"ab\")\n"},
    {IN("* 1 FETCH (BODY[] {0}\r\n)\r\n"),
     "literal FETCH 1 BODY[] 0 keep\n* 1 FETCH (BODY[] \"\")\n"},
    {IN("* 1 FETCH (BODY ((\"TEXT\" \"PLAIN\")(\"a\"\"b\") \"MIXED\"))\r\n"),
     "* 1 FETCH (BODY ((\"TEXT\" \"PLAIN\") (\"a\" \"b\") \"MIXED\"))\n"},
    /* NUL */
    {IN("* OK a\0b\r\n"), BROKE "(a NUL byte): \"* OK a\\x00\""},
    {IN("* 1 EXISTS\r\n\0"), "* 1 EXISTS\n" BROKE "(a NUL byte): \"\\x00\""},
    {IN("* 1 FETCH (BODY[] {2}\r\na\0)\0\r\n"),
     "literal FETCH 1 BODY[] 2 keep\n" BROKE "(a NUL byte)"},
    /* line ends */
    {IN("* 1 EXISTS\n+ x\nA1 OK\n"), "* 1 EXISTS\n+ |x\nA1 OK\n"},
    {IN("* 1 EXISTS\r\r\n* OK x\r\r\n"), "* 1 EXISTS\n* OK |x\n"},
    {IN("* 1 FETCH (BODY[] {2}\nab)\n"),
     "literal FETCH 1 BODY[] 2 keep\n* 1 FETCH (BODY[] \"ab\")\n"},
    /* unknown extensions */
    {IN("* XLIST (\\Inbox) \"/\" \"In\"\r\n"), "* XLIST (\\Inbox) \"/\" \"In\"\n"},
    {IN("* THREAD (2)(3 6 (4 23))\r\n"), "* THREAD (2) (3 6 (4 23))\n"},
    {IN("* X-WHAT it's (\"never ending\r\n"), "* X-WHAT it's ()\n"},
    {IN("* X-WHAT a) b\r\n"), "* X-WHAT a\n"},
    {IN("* X-WHAT (a {b\r\n* OK on\r\n"), "* X-WHAT (a)\n* OK |on\n"},
    {IN("* METADATA x (/a {3}\r\n((()\r\n"),
     "literal METADATA 0 /a 3 keep\n* METADATA x (/a \"(((\")\n"},
    {IN("* X-WHAT (a) b {2}\r\n))\r\n"), "literal X-WHAT 0 - 2 keep\n* X-WHAT (a) b \"))\"\n"},
    /* what is wrong */
    {IN("\r\n"), BROKE "(an empty line)"},
    {IN("\n"), BROKE "(an empty line)"},
    {IN("* \r\n"), BROKE "(an empty response): \"* \""},
    {IN("*\r\n"), BROKE "(an empty response)"},
    {IN("*OK\r\n"), BROKE "(no IMAP response)"},
    {IN("garbage\r\n"), BROKE "(no IMAP response): \"garbage\""},
    {IN("* (a)\r\n"), BROKE "(a response without a name)"},
    {IN("* 12\r\n"), BROKE "(a response without a name): \"* 12\""},
    {IN("* 5 FETCH(UID 2)\r\n"), BROKE "(a response without a name)"},
    {IN("220 mail.example.org ESMTP\r\n"),
     BROKE "(a tagged response that is not OK, NO or BAD): \"220 mail.example.org ESMTP\""},
    {IN("A1 BYE\r\n"), BROKE "(a tagged response that is not OK, NO or BAD)"},
    {IN("A1 \r\n"), BROKE "(a response without a name)"},
    {IN("* 18446744073709551616 EXISTS\r\n"), BROKE "(a number that is too large)"},
    {IN("* EXISTS\r\n"), BROKE "(a message's response without its number)"},
    {IN("* FETCH (UID 1)\r\n"), BROKE "(a message's response without its number)"},
    {IN("* 1 FETCH (UID 1\r\n"), BROKE "(a parenthesis is not closed): \"* 1 FETCH (UID 1\""},
    {IN("* 1 FETCH (UID 1))\r\n"), BROKE "(a parenthesis is closed that was not opened)"},
    {IN("* LIST () \"/ x\r\n"), BROKE "(a quoted string has no end)"},
    {IN("* LIST () \"/\" \"x\\\"\r\n"), BROKE "(a quoted string has no end)"},
    {IN("* 1 FETCH (BODY[HEADER.FIELDS (A) NIL)\r\n"), BROKE "(a section has no end)"},
    {IN("* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\n"), BROKE "(a section has no end)"},
    {IN("* 1 FETCH (BODY[TEXT] {}\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* 1 FETCH (BODY[TEXT] {12x}\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* 1 FETCH (BODY[TEXT] {12} x\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* 1 FETCH (BODY[TEXT] {-1}\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* 1 FETCH (BODY[TEXT] ~{}\r\n"), BROKE "(a literal is not announced by its size)"},
    {IN("* LIST () \"/\" a\rb\r\n"), BROKE "(a carriage return within a line)"},
    {IN("* X-WHAT ) {3}\r\nabc\r\n"), BROKE "(a parenthesis is closed that was not opened)"},
    {IN("* 1 FETCH (BODY[] {2}\r\nabc)\r\n"),
     "literal FETCH 1 BODY[] 2 keep\n" BROKE
     "(text right behind a literal): \"* 1 FETCH (BODY[] {2}\\x0d\\x0ac)\""},
    {IN("* 1 FETCH (BODY[A\rB] NIL)\r\n"), BROKE "(a section has no end)"},
    {IN("* X-WHAT {2}\r\nabc)\r\n"),
     "literal X-WHAT 0 - 2 keep\n" BROKE "(text right behind a literal)"},
    {IN("* OK fine\r\n* LIST (\x01\xff\r\n* OK never\r\n"),
     "* OK |fine\n" BROKE "(a parenthesis is not closed): \"* LIST (\\x01\\xff\""},
};

static char *run_case(const Case *one, size_t step, GRand *random)
{
    Transcript transcript = {0};
    return transcript_run(&transcript, one->input, one->length, step, random);
}

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *made = run_case(&cases[i], 0, NULL);
        g_autofree char *start = g_strndup(made, strlen(cases[i].expected));
        assert_string_equal(strstr(made, BROKE) ? start : made, cases[i].expected);
    }
}

static void test_pieces_make_no_difference(void **state)
{
    (void)state;
    g_autoptr(GRand) random = g_rand_new_with_seed(4711);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *whole = run_case(&cases[i], 0, NULL);
        for (size_t step = 1; step < 20; step++) {
            g_autofree char *even = run_case(&cases[i], step, NULL);
            g_autofree char *uneven = run_case(&cases[i], step, random);
            assert_string_equal(even, whole);
            assert_string_equal(uneven, whole);
        }
    }
}

/* Input that ends anywhere gives what was complete by then, and never a part of a response. */
static void assert_cuts(const char *input, size_t length)
{
    Transcript transcript = {0};
    g_autofree char *whole = transcript_run(&transcript, input, length, 0, NULL);
    g_autoptr(ImapParser) parser = imap_parser_new(&transcript_events, &transcript);
    bool alive = true;

    transcript.text = g_string_new(NULL);
    transcript.responses = 0;
    assert_true(imap_parser_idle(parser));
    for (size_t i = 0; i < length && alive; i++) {
        size_t before = transcript.responses;
        alive = imap_parser_feed(parser, (const uint8_t *)input + i, 1, NULL, NULL);
        assert_int_equal(imap_parser_idle(parser), transcript.responses > before);
        assert_true(g_str_has_prefix(whole, transcript.text->str));

        g_autofree char *prefix = transcript_run(&(Transcript){0}, input, i + 1, 0, NULL);
        assert_true(alive ? strcmp(prefix, transcript.text->str) == 0
                          : g_str_has_prefix(prefix, transcript.text->str));
    }
    g_string_free(transcript.text, TRUE);
}

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_cuts(cases[i].input, cases[i].length);
}

/* --- a whole session of an old server ------------------------------------------------------ */

static void append_file(GByteArray *bytes, const char *path, size_t size)
{
    g_autofree char *contents = NULL;
    gsize length = 0;
    assert_true(g_file_get_contents(path, &contents, &length, NULL));
    assert_int_equal(length, size);
    g_byte_array_append(bytes, (const guint8 *)contents, (guint)length);
}

static void append_lines(GByteArray *bytes, const char *lines)
{
    g_byte_array_append(bytes, (const guint8 *)lines, (guint)strlen(lines));
}

static GByteArray *uw_session(void)
{
    GByteArray *bytes = g_byte_array_new();
    append_lines(bytes, "* OK nessus.rodsbooks.com IMAP4rev1 v12.264.phall server ready\r\n"
                        "A1 OK LOGIN completed\r\n"
                        "* 1 EXISTS\r\n"
                        "* NO Trying to get mailbox lock from process 29559\r\n"
                        "* 1 RECENT\r\n"
                        "* OK [UIDVALIDITY 997295985] UID validity status\r\n"
                        "* OK [UIDNEXT 4] Predicted next UID\r\n"
                        "* FLAGS (\\Answered \\Flagged \\Deleted \\Draft \\Seen)\r\n"
                        "* OK [PERMANENTFLAGS (\\* \\Answered \\Flagged \\Deleted \\Draft \\Seen)] "
                        "Permanent flags\r\n"
                        "* OK [UNSEEN 1] first unseen message in /var/spool/mail/rodsmith\r\n"
                        "A2 OK [READ-WRITE] SELECT completed\r\n"
                        "* 1 FETCH (BODY[HEADER] {494}\r\n");
    append_file(bytes, "tests/data/imap-header.bin", 494);
    append_lines(bytes, ")\r\n"
                        "* 1 FETCH (FLAGS (\\Recent \\Seen))\r\n"
                        "A3 OK FETCH completed\r\n"
                        "* 1 FETCH (BODY[TEXT] {25}\r\n");
    append_file(bytes, "tests/data/imap-text.bin", 25);
    append_lines(bytes, ")\r\n"
                        "A4 OK FETCH completed\r\n"
                        "A5 OK COPY completed\r\n"
                        "* BYE nessus.rodsbooks.com IMAP4rev1 server terminating connection\r\n"
                        "A6 OK LOGOUT completed\r\n");
    return bytes;
}

/* What a transcript says of a file's bytes. */
static char *file_in_transcript(const char *path, size_t size)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    GString *text = g_string_new(NULL);
    append_file(bytes, path, size);
    transcript_bytes(text, (const char *)bytes->data, bytes->len);
    return g_string_free(text, FALSE);
}

static void test_uw_session(void **state)
{
    (void)state;
    g_autoptr(GByteArray) session = uw_session();
    g_autofree char *header = file_in_transcript("tests/data/imap-header.bin", 494);
    g_autofree char *body = file_in_transcript("tests/data/imap-text.bin", 25);
    g_autofree char *expected = g_strconcat(
        "* OK |nessus.rodsbooks.com IMAP4rev1 v12.264.phall server ready\n"
        "A1 OK |LOGIN completed\n"
        "* 1 EXISTS\n"
        "* NO |Trying to get mailbox lock from process 29559\n"
        "* 1 RECENT\n"
        "* OK [UIDVALIDITY 997295985] |UID validity status\n"
        "* OK [UIDNEXT 4] |Predicted next UID\n"
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Draft \\Seen)\n"
        "* OK [PERMANENTFLAGS (\\* \\Answered \\Flagged \\Deleted \\Draft \\Seen)] "
        "|Permanent flags\n"
        "* OK [UNSEEN 1] |first unseen message in /var/spool/mail/rodsmith\n"
        "A2 OK [READ-WRITE] |SELECT completed\n"
        "literal FETCH 1 BODY[HEADER] 494 keep\n"
        "* 1 FETCH (BODY[HEADER] \"",
        header,
        "\")\n"
        "* 1 FETCH (FLAGS (\\Recent \\Seen))\n"
        "A3 OK |FETCH completed\n"
        "literal FETCH 1 BODY[TEXT] 25 keep\n"
        "* 1 FETCH (BODY[TEXT] \"",
        body,
        "\")\n"
        "A4 OK |FETCH completed\n"
        "A5 OK |COPY completed\n"
        "* BYE |nessus.rodsbooks.com IMAP4rev1 server terminating connection\n"
        "A6 OK |LOGOUT completed\n",
        NULL);

    for (size_t step = 0; step < 80; step++) {
        Transcript transcript = {0};
        g_autofree char *made = transcript_run(&transcript, session->data, session->len, step,
                                               NULL);
        assert_string_equal(made, expected);
    }
    assert_cuts((const char *)session->data, session->len);
}

/* --- stopping ------------------------------------------------------------------------------ */

/* What follows the OK of STARTTLS is not looked at, even if it is garbage, until it is fed. */
static void test_stop_behind_a_response(void **state)
{
    (void)state;
    static const char input[] = "* OK hi\r\nA1 OK begin\r\nnonsense\r\n";
    const size_t behind = strlen("* OK hi\r\nA1 OK begin\r\n");
    Transcript transcript = {.text = g_string_new(NULL), .stop_behind = 2};
    g_autoptr(ImapParser) parser = imap_parser_new(&transcript_events, &transcript);
    size_t consumed = 0;

    assert_true(imap_parser_feed(parser, (const uint8_t *)input, strlen(input), &consumed, NULL));
    assert_int_equal(consumed, behind);
    assert_true(imap_parser_idle(parser));
    assert_string_equal(transcript.text->str, "* OK |hi\nA1 OK |begin\n");

    assert_true(imap_parser_feed(parser, (const uint8_t *)"+ x\n", 4, &consumed, NULL));
    assert_int_equal(consumed, 4);
    assert_string_equal(transcript.text->str, "* OK |hi\nA1 OK |begin\n+ |x\n");
    g_string_free(transcript.text, TRUE);
}

static void test_nothing_fed(void **state)
{
    (void)state;
    Transcript transcript = {0};
    g_autoptr(ImapParser) parser = imap_parser_new(&transcript_events, &transcript);
    size_t consumed = 1;

    assert_true(imap_parser_feed(parser, NULL, 0, &consumed, NULL));
    assert_int_equal(consumed, 0);
    assert_true(imap_parser_idle(parser));
    imap_parser_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_pieces_make_no_difference),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_uw_session),
        cmocka_unit_test(test_stop_behind_a_response),
        cmocka_unit_test(test_nothing_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
