/* engine/plan_report.c - what the steps of a plan are, for benches. */
#include "plan.h"

#include <stdio.h>

int32_t plan_step_count(const Plan *plan)
{
    return plan->step_count;
}

StepReport plan_step_report(const Plan *plan, int32_t step)
{
    const OpCall *call   = &plan->calls[step];
    const Step   *s      = &plan->steps[plan->order[step]];
    StepReport    report = {.flops = 0};
    bool conv = s->op == OP_CONV2D || s->op == OP_CONV2D_INPUT || s->op == OP_CONV2D_WEIGHT;
    snprintf(report.text, sizeof report.text, "%s %s%s%s%s%s%s", op_info(s->op)->name,
             SHAPE_TEXT(call->program ? call->program->shape : call->shape),
             call->method == CONV_WINOGRAD ? " winograd" : "", call->finish.bias ? " +bias" : "",
             call->finish.add ? " +add" : "",
             !call->finish.relu      ? ""
             : call->finish.most > 0 ? " +clamp"
                                     : " +relu",
             call->finish.gate ? " +gate" : "");
    if (conv) {
        ConvShape c    = conv_shape_of(s->op, call->params, call->in_shape, call->shape);
        int64_t   taps = c.c / c.groups * c.r * c.s;
        report.flops   = 2.0 * (double)(c.n * c.k * c.oh * c.ow) * (double)taps;
    } else if (s->op == OP_ATTENTION) { // weights [g,t,s] by its two products
        Shape   out     = call->shape;
        int64_t keys    = shape_elements(call->in_shape[0]) / (out.dim[0] * out.dim[1]);
        int64_t queries = shape_elements(call->in_shape[1]);
        report.flops    = 2.0 * (double)keys * (double)(queries + call->count);
    } else if (s->op == OP_MATMUL) {
        Shape   a    = call->in_shape[0];
        int64_t k    = a.dim[a.rank - (call->params->transpose_a ? 2 : 1)];
        report.flops = 2.0 * (double)call->count * (double)k;
    }
    return report;
}
