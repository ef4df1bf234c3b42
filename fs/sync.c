#include "sync.h"

#include "flag_changes.h"
#include "letters.h"
#include "moves.h"
#include "removal.h"

static void flags_begun(gpointer data, const GError *error)
{
    Mount *mount = data;

    (void)error;
    removals_begin(mount->removals);
    moves_begin(mount->moves);
}

void sync_begin(Mount *mount)
{
    flag_changes_begin(mount->flag_changes, flags_begun, mount);
}

static bool flags_done(Request *request, const GError *error)
{
    request->resume = request->then;
    if (error)
        return request->resume(request, error);
    removals_wait(request->mount->removals, request);
    return true;
}

static bool moves_done(Request *request, const GError *error)
{
    request->resume = flags_done;
    if (error)
        return request->then(request, error);
    flag_changes_wait(request->mount->flag_changes, request);
    return true;
}

static bool letters_done(Request *request, const GError *error)
{
    request->resume = moves_done;
    if (error)
        return request->then(request, error);
    moves_wait(request->mount->moves, request);
    return true;
}

void sync_wait(Request *request)
{
    request->then = request->resume;
    request->resume = letters_done;
    letters_wait(request->mount->letters, request);
}
