/*
 * walk.h: in which order a recursive reader (grep -r, tar) comes through the folders.
 *
 * He takes a directory's entries as it lists them: the folders first, each with all that is in it,
 * and the messages last. Any thread.
 */
#pragma once

#include "tree.h"

/* The folder with messages that he comes to after this one; 0: there is none. */
uint32_t walk_next(Tree *tree, uint32_t folder);
