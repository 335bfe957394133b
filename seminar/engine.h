// The engine in one header: tensors, automatic differentiation, layers, optimizers, files.
#pragma once

#include "autograd/debug.h"
#include "autograd/ops.h"
#include "autograd/print.h"
#include "nn/attention.h"
#include "nn/checkpoint.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/transformer.h"
#include "tensor/parallel.h"
