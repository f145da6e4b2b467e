#!/usr/bin/env python3
"""A model in tf.keras, channels last; arguments as those of torch_run.py."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy
import tensorflow as tf
from tensorflow.keras import layers

from peer import Job, pair


def make(row, x, job):
    """The output of a layer and, once built, what its weights are."""
    kind, name = row["type"], row["name"]
    tensors = job.tensors
    if kind in ("conv2d", "conv_transpose2d"):
        weight = tensors[f"{name}.weight"].transpose(2, 3, 1, 0)
        has_bias = row.get("bias", True)
        form = layers.Conv2D if kind == "conv2d" else layers.Conv2DTranspose
        more = {"dilation_rate": pair(row.get("dilation", 1))} \
            if kind == "conv2d" else {}
        layer = form(row["filters"], pair(row["kernel"]),
                     pair(row.get("stride", 1)), "same", use_bias=has_bias,
                     **more)
        y = layer(x[0])
        layer.set_weights([weight] + ([tensors[f"{name}.bias"]] if has_bias
                                      else []))
        return y
    if kind == "batchnorm":
        layer = layers.BatchNormalization(epsilon=row.get("epsilon", 1e-5))
        y = layer(x[0])
        layer.set_weights([tensors[f"{name}.{part}"] for part in
                           ("weight", "bias", "running_mean", "running_var")])
        return y
    if kind == "maxpool":
        return layers.MaxPooling2D(pair(row["kernel"]),
                                   pair(row.get("stride", row["kernel"])),
                                   row.get("pad", "valid"))(x[0])
    if kind == "resize":
        return layers.UpSampling2D(pair(row["scale"]),
                                   interpolation=row.get("mode", "nearest"))(x[0])
    simple = {"relu": layers.ReLU, "softmax": layers.Softmax,
              "concat": layers.Concatenate, "add": layers.Add}
    if kind == "dropout":
        return layers.Dropout(row.get("p", 0.5))(x[0])
    if kind not in simple:
        raise ValueError(f"{name}: no TensorFlow form of {kind} here")
    return simple[kind]()(x if len(x) > 1 else x[0])


def main():
    job = Job()
    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    start = layers.Input(numpy.moveaxis(job.input, 1, -1).shape[1:])
    values = {next(iter(job.model["inputs"])): start}
    for row in job.rows():
        values[row["name"]] = make(row, [values[v] for v in row["from"]], job)
    whole = tf.keras.Model(start, values[job.model["outputs"][0]])
    logits = tf.keras.Model(start, values[job.logits])
    output = whole.predict_on_batch(numpy.moveaxis(job.input, 1, -1))
    x = tf.constant(numpy.ascontiguousarray(numpy.moveaxis(job.x, 1, -1)))
    labels = tf.constant(job.labels)
    optimizer = tf.keras.optimizers.Adam(1e-4)
    optimizer.build(logits.trainable_variables)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, logits(x, training=True)))
        optimizer.apply(tape.gradient(loss, logits.trainable_variables),
                        logits.trainable_variables)
        return loss

    infer = tf.function(lambda: whole(x, training=False))
    step = train if job.kind == "train" else infer
    job.measure(f"TensorFlow {tf.__version__}", lambda: step().numpy(),
                numpy.moveaxis(output, -1, 1))


main()
