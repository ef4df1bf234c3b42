#include "sync.h"

#include "moves.h"
#include "removal.h"

static bool moves_done(Request *request, const GError *error)
{
    RequestResume then = request->then;

    request->resume = then;
    if (error)
        return then(request, error);
    removals_wait(request->mount->removals, request);
    return true;
}

void sync_wait(Request *request)
{
    request->then = request->resume;
    request->resume = moves_done;
    moves_wait(request->mount->moves, request);
}
