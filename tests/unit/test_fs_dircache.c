#include "../../fs/dircache.h"

#include "cache_helpers.h"

enum { THIS = 7, OTHER = 8 };

static void assert_opened(DirCache *cache, uint64_t ino, bool use_kept, bool keep, uint64_t *handle)
{
    DirCacheOpen opened = dircache_opened(cache, ino);
    assert_int_equal(opened.use_kept, use_kept);
    assert_int_equal(opened.keep, keep);
    if (handle)
        *handle = opened.handle;
    else
        dircache_closed(cache, ino, opened.handle);
}

static void test_kept_until_changed(void **state)
{
    (void)state;
    DirCache *cache = dircache_new();
    dircache_changed(cache, THIS); /* nobody has opened it */
    assert_opened(cache, THIS, false, true, NULL);
    assert_opened(cache, THIS, true, true, NULL);
    dircache_changed(cache, OTHER);
    assert_opened(cache, THIS, true, true, NULL);
    dircache_changed(cache, THIS);
    assert_opened(cache, THIS, false, true, NULL);
    assert_opened(cache, OTHER, false, true, NULL);
    dircache_all_changed(cache);
    assert_opened(cache, THIS, false, true, NULL);
    assert_opened(cache, OTHER, false, true, NULL);
    dircache_free(cache);
}

static void test_open_at_once(void **state)
{
    (void)state;
    DirCache *cache = dircache_new();
    uint64_t first, second;
    assert_opened(cache, THIS, false, true, &first);
    assert_opened(cache, THIS, true, true, &second);
    dircache_closed(cache, THIS, first);
    dircache_closed(cache, THIS, second);
    assert_opened(cache, THIS, true, true, NULL);
    dircache_free(cache);
}

/* What somebody reads who began before a change must not mix with what is kept after it. */
static void test_an_old_reader(void **state)
{
    (void)state;
    DirCache *cache = dircache_new();
    uint64_t oldest, old, now;
    assert_opened(cache, THIS, false, true, &oldest);
    dircache_changed(cache, THIS);
    assert_opened(cache, THIS, false, false, &old);
    dircache_closed(cache, THIS, oldest);
    /* All that are open began after the last change. */
    assert_opened(cache, THIS, false, true, &now);
    dircache_changed(cache, THIS);
    dircache_closed(cache, THIS, now);
    assert_opened(cache, THIS, false, false, NULL);
    dircache_closed(cache, THIS, old);
    assert_opened(cache, THIS, false, true, NULL);
    assert_opened(cache, THIS, true, true, NULL);
    /* One close too many does no harm. */
    dircache_closed(cache, THIS, old);
    dircache_closed(cache, OTHER, old);
    assert_opened(cache, THIS, true, true, NULL);
    dircache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_until_changed),
        cmocka_unit_test(test_open_at_once),
        cmocka_unit_test(test_an_old_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
