/*
 * fileio.h: reads and writes of a stretch of a file as a whole, however many system calls that
 * takes.
 *
 * Any thread; waits for the disk.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* As many bytes as there are, up to size; below 0 the errno. */
ssize_t file_read_at(int fd, void *bytes, size_t size, off_t offset);
/* An errno, or 0. */
int file_write_at(int fd, const void *bytes, size_t size, off_t offset);
