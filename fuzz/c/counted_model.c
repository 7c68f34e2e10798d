/* The emitted model, its runs counted: `infer 2147483647` must not hold up ten million inputs. */
#include "line.h"

#define ekw_model_run model_run_uncounted
#include "model.c"
#undef ekw_model_run

void ekw_model_run(const int8_t *input, int8_t *scores) {
    if (++line.runs > RUNS_PER_COMMAND) {
        longjmp(line.give_up, 1);
    }
    model_run_uncounted(input, scores);
}
