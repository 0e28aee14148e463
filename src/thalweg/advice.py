"""What to use instead of Keras's names that thalweg has elsewhere or not at all: the tables that ``absent`` reads.

A module of their own, because only a name that is not there needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Advice(NamedTuple):
    """What to do without some names of Keras."""

    kind: str  # what they are, in the plural
    names: str  # their paths below ``keras``, as patterns: "layers.GRU* layers.LSTM*"
    instead: str


# The first row that fits counts. What thalweg has is never looked up here, so a row may name more than is missing.
ADVICE = (
    Advice(
        "recurrent layers",
        "layers.Bidirectional layers.ConvLSTM* layers.*GRU* layers.*LSTM* layers.RNN layers.*SimpleRNN* "
        "layers.StackedRNNCells backend.rnn",
        "out of scope for now; for sequences use Conv1D and GlobalMaxPooling1D, or Embedding, Flatten and Dense",
    ),
    Advice(
        "attention",
        "layers.*Attention ops.dot_product_attention config.*flash_attention*",
        "out of scope for now; a Layer of one's own can compute softmax(q @ k^T) @ v with ops.matmul and ops.softmax",
    ),
    Advice(
        "pretrained networks",
        "applications*",
        "out of scope for now: thalweg downloads nothing; thalweg.models has mlp, lenet, small_cnn, resnet and unet to"
        " train",
    ),
    Advice(
        "quantization and other number formats",
        "quantizers* Quantizer dtype_policies* layers.TernaryDense ops.*quantize*",
        'out of scope for now; models compute in float32, in float64 after config.set_floatx("float64"), or by '
        'config.set_dtype_policy("mixed_bfloat16")',
    ),
    Advice(
        "devices of single layers and tensors",
        "distribution.distribute_tensor device RematScope remat optimizers.MultiOptimizer optimizers.OptimizerMap",
        "thalweg.distribution spreads a whole training over devices, and splits parameters by rules; how to split what "
        "is computed from them XLA decides",
    ),
    Advice(
        "parts of TensorFlow, PyTorch and JAX",
        "layers.TFSMLayer layers.JaxLayer layers.FlaxLayer layers.TorchModuleWrapper callbacks.OrbaxCheckpoint export*"
        " estimator* experimental* *.is_nnx_enabled config.set_backend StatelessScope SymbolicScope utils.FeatureSpace",
        "out of scope: thalweg computes with NumPy and its own compiler alone; model.get_weights() hands over arrays",
    ),
    Advice(
        "graphs and sessions",
        "name_scope Function backend.function backend.get_session backend.set_session backend.gradients "
        "backend.learning_phase backend.set_learning_phase backend.in_train_phase backend.in_test_phase "
        "backend.get_value backend.set_value backend.*variable* backend.update* backend.eval backend.get_uid",
        "the step is compiled as a whole; Model(inputs, outputs).predict(x) computes a part of a network, "
        "thalweg.grad(function) a derivative, and training= of a layer says whether it trains",
    ),
    Advice(
        "control flow inside of the step",
        "ops.cond ops.while_loop ops.fori_loop ops.scan ops.associative_scan ops.map ops.vectorized_map ops.switch "
        "ops.vectorize ops.custom_gradient ops.jvp backend.switch backend.foldl backend.foldr backend.map_fn",
        "a Python loop or condition is carried out when the step is made, and ops.where chooses number by number",
    ),
    Advice(
        "sounds and spectra",
        "layers.MelSpectrogram layers.STFTSpectrogram initializers.STFT* initializers.stft ops.*fft* ops.*stft "
        "ops.extract_sequences utils.audio_dataset_from_directory ops.*bartlett ops.*blackman ops.*hamming "
        "ops.*hanning ops.*kaiser",
        "compute spectra before training, with np.fft or scipy.signal, and give them to fit as arrays",
    ),
    Advice(
        "complex numbers",
        "ops.view_as_* ops.polar ops.angle ops.conj* ops.imag ops.isreal ops.real",
        "tensors hold real numbers; keep real and imaginary part as two features, made with NumPy before training",
    ),
    Advice(
        "decompositions of matrices",
        "ops.chol* ops.*det ops.eig* ops.inv ops.lstsq ops.lu_factor ops.matrix_* ops.pinv ops.qr ops.svd ops.solve* "
        "ops.norm",
        "use np.linalg on arrays, before training; in the step there are ops.matmul and the sums and squares that "
        "norms are made of",
    ),
    Advice(
        "sequence losses and their decoding",
        "ops.*ctc* losses.*ctc losses.CTC backend.ctc*",
        "out of scope for now, with the recurrent layers that they are for",
    ),
    Advice(
        "operations on images and their boxes",
        "ops.*transform ops.*image* ops.*_patches* ops.gaussian_blur ops.*rgb* ops.map_coordinates ops.resize "
        "ops.scale_and_translate ops.sobel_edges ops.ssim ops.psnr ops.*fold ops.adaptive* layers.Adaptive* "
        "utils.bounding_boxes* layers.MaxNumBoundingBoxes preprocessing.image.smart_resize utils.smart_resize "
        "utils.apply_* utils.random_*",
        "prepare images before training, with Pillow or SciPy; the layers Resizing, Rescaling and Random... work in "
        "the model",
    ),
    Advice(
        "further augmentation of images",
        "layers.AugMix layers.ContrastLimited* layers.CutMix layers.Equalization "
        "layers.RandAugment layers.Random* layers.Pipeline",
        "layers.RandomFlip, RandomTranslation, RandomRotation, RandomZoom, RandomContrast, RandomBrightness, "
        "RandomErasing, RandomGrayscale, AutoContrast, Solarization and MixUp are there; a Sequential of them is a "
        "pipeline",
    ),
    Advice(
        "readers of folders, texts and streams",
        "*dataset_from_* *ImageDataGenerator *TimeseriesGenerator *Iterator utils.split_dataset",
        "fit takes arrays, generators, utils.PyDataset and the sources in thalweg.streams, and "
        "utils.image_dataset_from_directory makes them of a folder of pictures; "
        "train_validation_test_split divides them, the layers Random... augment images",
    ),
    Advice(
        "texts",
        "*Tokenizer *tokenizer_from_json *text_to_word_sequence *hashing_trick *skipgrams *make_sampling_table",
        "number the words with a dict of Python, utils.pad_sequences makes rows of one length, and layers.Embedding or"
        " layers.CategoryEncoding takes them",
    ),
    Advice(
        "pictures of boxes and masks",
        "visualization.draw_* visualization.plot_*_gallery",
        "draw images with matplotlib's imshow; thalweg.visualization shows filters, activations, saliency and mistakes",
    ),
    Advice(
        "distillation",
        "distillation*",
        "train on the teacher's probabilities as targets: fit(x, teacher.predict(x)) with 'kl_divergence'",
    ),
    Advice(
        "wrappers for scikit-learn",
        "wrappers*",
        "use thalweg.sklearn.MLPClassifier and MLPRegressor (docs/sklearn.md), or thalweg.cross_validate and compare",
    ),
    Advice(
        "nested structures",
        "tree* utils.Config",
        "lists, tuples and dicts of arrays go through fit, predict and Model as they are",
    ),
    Advice(
        "Keras's files and their editors",
        "saving.KerasFileEditor legacy* utils.legacy*",
        "thalweg has its own format (docs/files.md), which the safetensors package reads too; weights change by "
        "model.get_weights() and set_weights",
    ),
    Advice(
        "progress bars and watchers",
        "callbacks.RemoteMonitor callbacks.ProgbarLogger utils.Progbar",
        "fit(verbose=1) shows progress; a LambdaCallback(on_epoch_end=...) sends or prints what it likes",
    ),
    Advice("drawings by graphviz", "utils.model_to_dot", "utils.plot_model draws with matplotlib"),
    Advice(
        "declarations of inputs",
        "utils.get_source_inputs layers.Wrapper",
        "a Layer is told the type of its input in build; other layers may be its attributes",
    ),
    Advice(
        "layers that Keras has dropped, or that are rare",
        "layers.LocallyConnected* layers.ThresholdedReLU layers.CuDNN* layers.DenseFeatures layers.MaxoutDense "
        "layers.Highway layers.SpectralNormalization layers.EinsumDense layers.ReversibleEmbedding",
        "write it as a Layer with build and call (docs/keras.md, 'Your own layer'), or take Dense, Conv2D, ReLU",
    ),
    Advice(
        "older spellings",
        "losses.Reduction",
        'reduction= of a loss takes "sum_over_batch_size", "sum", "mean" or "none"',
    ),
    Advice(
        "settings",
        "config.*interactive_logging* utils.*interactive_logging* config.*max_epochs config.*max_steps_per_epoch "
        "config.enable_traceback_filtering config.enable_unsafe_deserialization",
        "what Keras sets for the process is said where it counts: fit(verbose=, epochs=, steps_per_epoch=); tracebacks"
        " are whole, and a file never runs code",
    ),
    # What else there may be of a kind, now or in the next Keras.
    Advice(
        "functions of arrays",
        "ops.* backend.*",
        "use NumPy on arrays, before training; a loss, metric or layer is made of what dir(thalweg.ops) lists",
    ),
    Advice(
        "random numbers",
        "random*",
        "numpy.random makes arrays; layers draw in the step with ops.random_uniform and ops.random_normal",
    ),
    Advice("activations", "activations.*", "an activation may be any function of nodes: activation=lambda x: x * x"),
    Advice("losses", "losses.*", "a loss may be any function of y_true and y_pred (docs/keras.md, 'Your own loss')"),
    Advice("metrics", "metrics.*", "a metric may be any function of y_true and y_pred, or derive from metrics.Metric"),
    Advice("optimizers", "optimizers.*", "optimizers.Adam or SGD is the usual replacement"),
    Advice("initializers", "initializers.*", "an initializer may be any function of the shape with the keyword dtype"),
    Advice("layers", "layers.*", "write it as a Layer with build and call (docs/keras.md, 'Your own layer')"),
    Advice("callbacks", "callbacks.*", "derive it from callbacks.Callback, or pass callbacks.LambdaCallback(...)"),
)

# Paths that older programs import from, and where their names are now. A path that is a module of ours needs no row.
OLDER_PATHS = {
    **dict.fromkeys(
        (
            "engine",
            "engine.base_layer",
            "engine.input_layer",
            "engine.topology",
            "layers.advanced_activations",
            "layers.attention",
            "layers.convolutional",
            "layers.convolutional_recurrent",
            "layers.core",
            "layers.embeddings",
            "layers.experimental",
            "layers.experimental.preprocessing",
            "layers.local",
            "layers.merge",
            "layers.recurrent",
            "layers.regularization",
            "layers.rnn",
            "layers.wrappers",
        ),
        "layers",
    ),
    **dict.fromkeys(("engine.sequential", "engine.training"), "models"),
    **dict.fromkeys(
        (
            "preprocessing",
            "preprocessing.image",
            "preprocessing.sequence",
            "preprocessing.text",
            "utils.data_utils",
            "utils.generic_utils",
            "utils.image_utils",
            "utils.io_utils",
            "utils.layer_utils",
            "utils.np_utils",
            "utils.vis_utils",
        ),
        "utils",
    ),
    **dict.fromkeys(
        ("optimizers.adam", "optimizers.legacy", "optimizers.optimizer_v2", "optimizers.rmsprop", "optimizers.sgd"),
        "optimizers",
    ),
    **dict.fromkeys(("ops.image", "ops.linalg", "ops.nn", "ops.numpy"), "ops"),
    "optimizers.learning_rate_schedule": "optimizers.schedules",
}

IN_THE_STEP = "a step is compiled as a whole: write train_step, test_step or compute_loss, or fit does it all"
WITH_FIT = "fit, evaluate and predict take arrays, also mapped from files (np.load(path, mmap_mode='r'))"

ATTRIBUTES: Mapping[str, str] = {
    "stateless_call": "call it on arrays, y = model(x); in a step the weights are states of the compiled program",
    "stateless_compute_loss": "write compute_loss or train_step, which is compiled with its gradients",
    "stateless_*": "its numbers are states of the compiled program; on arrays call it, or its methods, as they are",
    "quantiz*": "there are float32 and float64; small integers go in with Input(dtype='uint8')",
    "enable_lora": "freeze the layer and add a product of two small Dense layers to what it gives",
    "export": "save(path) writes everything that load_model reads; get_weights() gives arrays for other programs",
    "save_own_variables": "weights are saved by their paths: model.save_weights(path)",
    "load_own_variables": "weights are loaded by their paths: model.load_weights(path)",
    "dtype_policy": "that of each layer, layer.dtype_policy; config.dtype_policy() unless it was given one",
    "*_build_config": "get_config says how a layer is made; a model says what it was built for",
    "build_from_config": "get_config says how a layer is made; a model says what it was built for",
    "*_generator": WITH_FIT,
    "predict_classes": "np.argmax(model.predict(x), axis=-1), or (model.predict(x) > 0.5).astype(int) for two classes",
    "predict_proba": "model.predict(x) gives the probabilities of a softmax or sigmoid",
    "*_function": IN_THE_STEP,
    "steps_per_execution": "one call runs as many steps as fit into a tenth of a second",
    "jit_compile": "every step is compiled",
    "run_eagerly": "THALWEG_EXECUTOR=numpy runs each operation by itself; model.explain() shows the step",
    "build": "what it keeps is made when the step is compiled: leave the call out",
    "reset_states": "reset_state()",
    "add_variable": "add_weight, with the same arguments",
    "add_*variable*": "docs/keras.md, 'Your own optimizer': slots are named, and update gives their next values",
    "update_step": "docs/keras.md, 'Your own optimizer': update gives the next values as nodes",
    "apply*": "model.optimizer, inside of train_step, has apply_gradients and apply",
    "assign*": "docs/keras.md, 'Your own optimizer': update gives the next values as nodes",
    "finalize_variable_values": "averages of the weights (use_ema) come with callbacks.SwapEMAWeights",
    "scale_loss": "there is nothing to scale: gradients are float32 or float64",
    "compute_loss_and_updates": IN_THE_STEP,
    "get_quantization_layer_structure": "there are float32 and float64",
    "metrics_variables": "model.metrics, each with its result()",
    "built": "model.optimizer has what changes, after compile; an optimizer by itself holds no numbers",
    "iterations": "model.optimizer.iterations, after compile; an optimizer by itself holds no numbers",
    "variables": "model.optimizer.variables, after compile; an optimizer by itself holds no numbers",
    "set_weights": "model.save(path) and load_model(path) keep all that the optimizer has, too",
    "call": "per_sample(y_true, y_pred), the loss of each sample; the object itself is called for the mean",
    "fn": "per_sample(y_true, y_pred), the loss of each sample",
    "*_negatives": "metrics.ConfusionMatrix, or FalseNegatives and its like, beside it",
    "*_positives": "metrics.ConfusionMatrix, or FalsePositives and its like, beside it",
    "interpolate_pr_auc": "result() gives the area",
    "activity_regularizer": "a regularizer belongs to a layer: Dense(8, activity_regularizer='l2')",
    "autocast": "config.set_floatx chooses between float32 and float64 for all layers",
    "dtype": "the dtype of each layer, layer.dtype; config.floatx() unless it was given one",
    "call_signature_parameters": "inspect.signature(layer.call)",
    "compute_*": "each of model.layers has it; a model called on what Input gives tells the shapes",
    "input_spec": "model.inputs and model.input_shape",
    "path": "parameters have a path; a layer has its name",
    "metrics": "model.metrics; a metric that is an attribute of a layer is among them",
    "supports_*": "a model compiles always, and passes on the masks that its layers pass on",
    "lora_*": "freeze the layer and add a product of two small Dense layers to what it gives",
    "variable_serialization_spec": "weights are saved by their paths: model.save_weights(path)",
    "add_update": "self.update(parameter, node) says what a step stores in it",
    "*state_tree": "model.get_weights() and set_weights(), or model.save(path) for all of the state",
    "jax_state_sync": "there is nothing to bring together: the state is always the model's",
    "rematerialized_call": "activations are kept where they are needed; a smaller batch_size needs less memory",
    "symbolic_call": "call it on what Input gives",
    "input_dtype": "layer.dtype; layer.dtype_policy says whether factors of products are shorter",
    "variable_dtype": "layer.dtype; layer.dtype_policy says whether factors of products are shorter",
}
"""What stands in for attributes and methods of Keras's objects, today's and older ones. The first pattern counts."""
