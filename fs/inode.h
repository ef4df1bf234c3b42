/*
 * inode.h: inode numbers: kind, folder id and UID in 64 bits, so that no table of inodes is
 * needed, FORGET is free, and a number is the same after a remount.
 *
 *   63..60 kind    59..32 folder id    31..0 UID (0 for the folder itself)
 *
 * Pure functions; any thread.
 */
#pragma once

#include <stdint.h>

typedef enum {
    INODE_ROOT = 0,    /* the mount's root: the number 1, as FUSE wants it */
    INODE_FOLDER = 1,  /* a directory; uid 0 */
    INODE_MESSAGE = 2, /* a message's file */
    INODE_CONTROL = 3, /* .pullmail (uid 0) and what is in it */
    INODE_DRAFT = 4,   /* a file that is being written; uid counts them */
    INODE_INVALID = 15,
} InodeKind;

typedef struct {
    InodeKind kind;
    uint32_t folder; /* 0 to 2^28 - 1 */
    uint32_t uid;
} Inode;

/* 0, which is no inode's number, for what has none: a message without a UID, a folder with one or
 * with an id beyond 28 bits. The root is 1, whatever folder and uid say. */
uint64_t inode_number(InodeKind kind, uint32_t folder, uint32_t uid);
/* INODE_INVALID for what inode_number never makes. */
Inode inode_of(uint64_t number);
