/* The emitted model with a limit of runs: `infer 2147483647` must not stall the fuzzer. */
#include "line.h"

#define ekw_model_run model_run_uncounted
#define ekw_model_run_layer model_run_layer_uncounted
#include "model.c"
#undef ekw_model_run
#undef ekw_model_run_layer

static void count(void) {
    if (++line.runs > RUNS_PER_COMMAND) {
        longjmp(line.give_up, 1);
    }
    fuzz_answered(RUN_MARK);
}

void ekw_model_run(const int8_t *input, int8_t *scores) {
    count();
    model_run_uncounted(input, scores);
}

/* The model has one layer, so this is a run too. */
_Static_assert(EKW_MODEL_LAYERS == 1, "the oracle counts each layer as a run");

void ekw_model_run_layer(int32_t number, const int8_t *input, int8_t *scores) {
    count();
    model_run_layer_uncounted(number, input, scores);
}
