#include "../../fs/sequence.h"
#include "cache_helpers.h"

enum { MESSAGES = 1000 };

static int64_t date_of(uint32_t uid)
{
    return uid * 37 % 101; /* many have the same */
}

static Catalog *filled(uint32_t *folder)
{
    Catalog *catalog = catalog_open(NULL);
    const MailFolderInfo info = {.name = "INBOX"};
    *folder = catalog_put_folder(catalog, &info);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        MailMessage message = {.uid = uid * 3, .has = MAIL_HAS_DATE, .date = date_of(uid * 3)};
        catalog_put_messages(catalog, *folder, &message, 1);
    }
    return catalog;
}

static bool is_ahead(ScanOrder order, uint32_t one, uint32_t other)
{
    bool by_name = order == SCAN_NAMES_UP || order == SCAN_NAMES_DOWN;
    bool down = order == SCAN_UIDS_DOWN || order == SCAN_NAMES_DOWN;
    if (by_name && date_of(one) != date_of(other))
        return (date_of(one) < date_of(other)) != down;
    return (one < other) != down;
}

static void test_every_order(void **state)
{
    uint32_t folder;
    g_autoptr(Catalog) catalog = filled(&folder);
    for (ScanOrder order = SCAN_UIDS_UP; order <= SCAN_MIXED; order++) {
        g_autoptr(GArray) uids = sequence_new(catalog, folder, order);
        assert_int_equal(uids->len, MESSAGES);
        for (guint i = 0; i < uids->len; i++) {
            CatalogMessage message;
            uint32_t uid = g_array_index(uids, uint32_t, i);
            assert_true(i == 0 || is_ahead(order, g_array_index(uids, uint32_t, i - 1), uid));
            assert_true(catalog_message(catalog, folder, uid, &message));
            assert_int_equal(sequence_after(catalog, folder, order, uids, &message), i + 1);
        }
    }
    (void)state;
}

/* Messages that came or went since. */
static void test_not_in_it(void **state)
{
    uint32_t folder;
    g_autoptr(Catalog) catalog = filled(&folder);
    g_autoptr(GArray) uids = sequence_new(catalog, folder, SCAN_UIDS_UP);
    const CatalogMessage first = {.uid = 1}, between = {.uid = 31}, last = {.uid = 100000};
    const MailUidRange gone = {1, 300};
    assert_int_equal(sequence_after(catalog, folder, SCAN_UIDS_UP, uids, &first), 0);
    assert_int_equal(sequence_after(catalog, folder, SCAN_UIDS_UP, uids, &between), 10);
    assert_int_equal(sequence_after(catalog, folder, SCAN_UIDS_UP, uids, &last), MESSAGES);
    g_array_unref(catalog_remove_ranges(catalog, folder, &gone, 1));
    assert_int_equal(sequence_after(catalog, folder, SCAN_UIDS_UP, uids, &between), 10);
    (void)state;
}

static void test_empty(void **state)
{
    g_autoptr(Catalog) catalog = catalog_open(NULL);
    const CatalogMessage any = {.uid = 1};
    for (ScanOrder order = SCAN_UIDS_UP; order <= SCAN_MIXED; order++) {
        g_autoptr(GArray) uids = sequence_new(catalog, 17, order);
        assert_int_equal(uids->len, 0);
        assert_int_equal(sequence_after(catalog, 17, order, uids, &any), 0);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_not_in_it),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
