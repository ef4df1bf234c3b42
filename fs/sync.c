#include "sync.h"

#include "letters.h"
#include "moves.h"
#include "removal.h"

static bool moves_done(Request *request, const GError *error)
{
    request->resume = request->then;
    if (error)
        return request->resume(request, error);
    removals_wait(request->mount->removals, request);
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
