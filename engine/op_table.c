/* engine/op_table.c - every op, one line each. */
#include "op.h"

static const OpInfo *const table[OP_COUNT] = {
    [OP_INPUT]         = &op_info_input,
    [OP_INDEX_INPUT]   = &op_info_index_input,
    [OP_PARAMETER]     = &op_info_parameter,
    [OP_CONSTANT]      = &op_info_constant,
    [OP_RESHAPE]       = &op_info_reshape,
    [OP_BROADCAST_TO]  = &op_info_broadcast_to,
    [OP_SUM_TO]        = &op_info_sum_to,
    [OP_SLICE]         = &op_info_slice,
    [OP_PAD]           = &op_info_pad,
    [OP_ADD]           = &op_info_add,
    [OP_SCALE_OFFSET]  = &op_info_scale_offset,
    [OP_SCALE_BY]      = &op_info_scale_by,
    [OP_MUL]           = &op_info_mul,
    [OP_EXP]           = &op_info_exp,
    [OP_LOG]           = &op_info_log,
    [OP_POWER]         = &op_info_power,
    [OP_SIGMOID]       = &op_info_sigmoid,
    [OP_SOFTPLUS]      = &op_info_softplus,
    [OP_NORMAL_CDF]    = &op_info_normal_cdf,
    [OP_RELU]          = &op_info_relu,
    [OP_CLAMP]         = &op_info_clamp,
    [OP_GATE]          = &op_info_gate,
    [OP_MATMUL]        = &op_info_matmul,
    [OP_CONV2D]        = &op_info_conv2d,
    [OP_CONV2D_INPUT]  = &op_info_conv2d_input,
    [OP_CONV2D_WEIGHT] = &op_info_conv2d_weight,
    [OP_MAXPOOL_INDEX] = &op_info_maxpool_index,
    [OP_GATHER]        = &op_info_gather,
    [OP_SCATTER_ADD]   = &op_info_scatter_add,
    [OP_LOG_SOFTMAX]   = &op_info_log_softmax,
    [OP_SOFTMAX]       = &op_info_softmax,
    [OP_LARGEST]       = &op_info_largest,
    [OP_MAXPOOL]       = &op_info_maxpool,
    [OP_ATTENTION]     = &op_info_attention,
    [OP_LAYER_NORM]    = &op_info_layer_norm,
    [OP_CHANNELS]      = &op_info_channels,
};

const OpInfo *op_info(OpKind op)
{
    return table[op];
}

const char *op_name(OpKind op)
{
    return table[op]->name;
}
