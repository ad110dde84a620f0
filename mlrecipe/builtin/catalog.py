"""The names of the built-in components and where they live; importing this imports none of them."""

from __future__ import annotations

from mlrecipe.registry import registries

_HERE = "mlrecipe.builtin"
_CALLBACKS = "pytorch_lightning.callbacks"
_LOGGERS = "pytorch_lightning.loggers"
_TRACKING = "mlrecipe.training.tracking"

OPS = {
    "bleu": f"{_HERE}.ops.bleu:bleu",
    "bootstrap": f"{_HERE}.ops.bootstrap:bootstrap",
    "breakpoint": f"{_HERE}.ops.breakpoint:breakpoint_",
    "calibration": f"{_HERE}.ops.calibration:calibration",
    "chrf": f"{_HERE}.ops.chrf:chrf",
    "classification-report": f"{_HERE}.ops.classification_report:classification_report",
    "compare-predictions": f"{_HERE}.ops.compare_predictions:compare_predictions",
    "concat": f"{_HERE}.ops.concat:concat",
    "confident-errors": f"{_HERE}.ops.confident_errors:confident_errors",
    "confusion-matrix": f"{_HERE}.ops.confusion_matrix:confusion_matrix",
    "convert-tags": f"{_HERE}.ops.convert_tags:convert_tags",
    "deduplicate": f"{_HERE}.ops.deduplicate:deduplicate",
    "error-clusters": f"{_HERE}.ops.error_clusters:error_clusters",
    "export-rows": f"{_HERE}.ops.export_rows:export_rows",
    "filter": f"{_HERE}.ops.filter:filter_",
    "load-conll": f"{_HERE}.ops.load_conll:load_conll",
    "load-dataset": f"{_HERE}.ops.load_dataset:load_dataset",
    "load-files": f"{_HERE}.ops.load_files:load_files",
    "load-glue": f"{_HERE}.ops.load_glue:load_glue",
    "load-predictions": f"{_HERE}.ops.load_predictions:load_predictions",
    "load-slots": f"{_HERE}.ops.load_slots:load_slots",
    "load-tagged": f"{_HERE}.ops.load_tagged:load_tagged",
    "load-tokens": f"{_HERE}.ops.load_tokens:load_tokens",
    "map-labels": f"{_HERE}.ops.map_labels:map_labels",
    "merge-predictions": f"{_HERE}.ops.merge_predictions:merge_predictions",
    "regression-report": f"{_HERE}.ops.regression_report:regression_report",
    "rename": f"{_HERE}.ops.rename:rename",
    "rouge": f"{_HERE}.ops.rouge:rouge",
    "select": f"{_HERE}.ops.select:select",
    "shuffle": f"{_HERE}.ops.shuffle:shuffle",
    "slices": f"{_HERE}.ops.slices:slices",
    "split": f"{_HERE}.ops.split:split",
    "statistics": f"{_HERE}.ops.statistics:statistics",
    "temperature-scaling": f"{_HERE}.ops.temperature_scaling:temperature_scaling",
    "threshold-sweep": f"{_HERE}.ops.threshold_sweep:threshold_sweep",
    "tokenize": f"{_HERE}.ops.tokenize:tokenize",
    "tokenize-words": f"{_HERE}.ops.tokenize_words:tokenize_words",
    "top-rows": f"{_HERE}.ops.top_rows:top_rows",
    "worst-mistakes": f"{_HERE}.ops.worst_mistakes:worst_mistakes",
}

FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "arrow-table": (f"{_HERE}.formats.table:ArrowTableFormat", ("pyarrow.lib.Table",)),
    "dataframe": (
        f"{_HERE}.formats.table:DataFrameFormat",
        (
            "pandas.DataFrame",
            "pandas.Series",
            "pandas.core.frame.DataFrame",
            "pandas.core.series.Series",
        ),
    ),
    "dataset": (f"{_HERE}.formats.dataset:DatasetFormat", ("datasets.arrow_dataset.Dataset",)),
    "dataset-dict": (
        f"{_HERE}.formats.dataset:DatasetDictFormat",
        ("datasets.dataset_dict.DatasetDict",),
    ),
    "json": (
        f"{_HERE}.formats.plain:JsonFormat",
        (
            "builtins.NoneType",
            "builtins.bool",
            "builtins.int",
            "builtins.float",
            "builtins.bytes",
            "builtins.list",
            "builtins.tuple",
            "builtins.set",
            "builtins.frozenset",
            "datetime.date",
            "datetime.datetime",
        ),
    ),
    "files": (f"{_HERE}.formats.path:PathFormat", ("pathlib.Path", "pathlib._local.Path")),
    "mapping": (f"{_HERE}.formats.plain:MappingFormat", ("builtins.dict",)),
    "numpy": (f"{_HERE}.formats.array:NumpyFormat", ("numpy.ndarray",)),
    "recorder": (
        f"{_HERE}.formats.recorder:RecorderFormat",
        ("mlrecipe.recorder.recorder.Recorder",),
    ),
    "tensor": (f"{_HERE}.formats.array:TensorFormat", ("torch.Tensor",)),
    "text": (f"{_HERE}.formats.plain:TextFormat", ("builtins.str",)),
    "transformers-model": (
        f"{_HERE}.formats.huggingface:ModelFormat",
        ("transformers.modeling_utils.PreTrainedModel",),
    ),
    "transformers-tokenizer": (
        f"{_HERE}.formats.huggingface:TokenizerFormat",
        ("transformers.tokenization_utils_base.PreTrainedTokenizerBase",),
    ),
}

TASKS = {
    "intent-and-slots": f"{_HERE}.tasks.intent_and_slots:IntentAndSlots",
    "multi-label-classification": f"{_HERE}.tasks.multi_label_classification:MultiLabelClassification",
    "multi-output-classification": f"{_HERE}.tasks.multi_output_classification:MultiOutputClassification",
    "text-classification": f"{_HERE}.tasks.text_classification:TextClassification",
    "text-regression": f"{_HERE}.tasks.text_regression:TextRegression",
    "token-classification": f"{_HERE}.tasks.token_classification:TokenClassification",
}

MODELS = {
    "transformer": f"{_HERE}.models.transformer:Transformer",
    "word-char-bilstm": f"{_HERE}.models.word_char_bilstm:WordCharBiLSTM",
}

_OF_LABELS = f"{_HERE}.metrics.classification"
_OF_NUMBERS = f"{_HERE}.metrics.regression"
_OF_SPANS = f"{_HERE}.metrics.spans"
_ONE = ("single_label_classification",)
_SEVERAL = ("multi_label_classification",)
_NUMBER = ("regression",)
_TAGS = ("token_classification",)
_FRAMES = ("intent_and_slots",)

# With the problem types that each answers for.
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "accuracy": (f"{_OF_LABELS}:accuracy", _ONE + _SEVERAL + _TAGS),
    "auroc": (f"{_OF_LABELS}:auroc", _ONE + _SEVERAL),
    "average-precision": (f"{_OF_LABELS}:average_precision", _ONE + _SEVERAL),
    "balanced-accuracy": (f"{_OF_LABELS}:balanced_accuracy", _ONE + _TAGS),
    "calibration-error": (f"{_OF_LABELS}:calibration_error", _ONE),
    "cohen-kappa": (f"{_OF_LABELS}:cohen_kappa", _ONE + _TAGS),
    "exact-match": (f"{_OF_LABELS}:exact_match", _SEVERAL + _TAGS + _FRAMES),
    "explained-variance": (f"{_OF_NUMBERS}:explained_variance", _NUMBER),
    "f1": (f"{_OF_LABELS}:f1", _ONE + _SEVERAL),
    "f1-macro": (f"{_OF_LABELS}:f1_macro", _ONE + _SEVERAL + _TAGS),
    "f1-micro": (f"{_OF_LABELS}:f1_micro", _ONE + _SEVERAL + _TAGS),
    "f1-weighted": (f"{_OF_LABELS}:f1_weighted", _ONE + _SEVERAL + _TAGS),
    "hamming-distance": (f"{_OF_LABELS}:hamming_distance", _ONE + _SEVERAL + _TAGS),
    "jaccard-index": (f"{_OF_LABELS}:jaccard_index", _ONE + _SEVERAL),
    "matthews-corrcoef": (f"{_OF_LABELS}:matthews_corrcoef", _ONE + _SEVERAL + _TAGS),
    "mean-absolute-error": (f"{_OF_NUMBERS}:mean_absolute_error", _NUMBER),
    "mean-squared-error": (f"{_OF_NUMBERS}:mean_squared_error", _NUMBER),
    "negative-predictive-value": (f"{_OF_LABELS}:negative_predictive_value", _ONE + _SEVERAL),
    "pearson-corrcoef": (f"{_OF_NUMBERS}:pearson_corrcoef", _NUMBER),
    "precision": (f"{_OF_LABELS}:precision", _ONE + _SEVERAL),
    "precision-macro": (f"{_OF_LABELS}:precision_macro", _ONE + _SEVERAL + _TAGS),
    "precision-micro": (f"{_OF_LABELS}:precision_micro", _ONE + _SEVERAL + _TAGS),
    "r2-score": (f"{_OF_NUMBERS}:r2_score", _NUMBER),
    "recall": (f"{_OF_LABELS}:recall", _ONE + _SEVERAL),
    "recall-macro": (f"{_OF_LABELS}:recall_macro", _ONE + _SEVERAL + _TAGS),
    "recall-micro": (f"{_OF_LABELS}:recall_micro", _ONE + _SEVERAL + _TAGS),
    "root-mean-squared-error": (f"{_OF_NUMBERS}:root_mean_squared_error", _NUMBER),
    "span-f1": (f"{_OF_SPANS}:span_f1", _TAGS),
    "span-f1-macro": (f"{_OF_SPANS}:span_f1_macro", _TAGS),
    "span-precision": (f"{_OF_SPANS}:span_precision", _TAGS),
    "span-precision-macro": (f"{_OF_SPANS}:span_precision_macro", _TAGS),
    "span-recall": (f"{_OF_SPANS}:span_recall", _TAGS),
    "span-recall-macro": (f"{_OF_SPANS}:span_recall_macro", _TAGS),
    "spearman-corrcoef": (f"{_OF_NUMBERS}:spearman_corrcoef", _NUMBER),
    "specificity": (f"{_OF_LABELS}:specificity", _ONE + _SEVERAL),
    "top-3-accuracy": (f"{_OF_LABELS}:top_3_accuracy", _ONE),
    "top-5-accuracy": (f"{_OF_LABELS}:top_5_accuracy", _ONE),
}

OPTIMIZERS = {
    "ASGD": "torch.optim.asgd:ASGD",
    "Adadelta": "torch.optim.adadelta:Adadelta",
    "Adafactor": "torch.optim._adafactor:Adafactor",
    "Adagrad": "torch.optim.adagrad:Adagrad",
    "Adam": "torch.optim.adam:Adam",
    "AdamW": "torch.optim.adamw:AdamW",
    "Adamax": "torch.optim.adamax:Adamax",
    "LBFGS": "torch.optim.lbfgs:LBFGS",
    "Muon": "torch.optim._muon:Muon",
    "NAdam": "torch.optim.nadam:NAdam",
    "RAdam": "torch.optim.radam:RAdam",
    "RMSprop": "torch.optim.rmsprop:RMSprop",
    "Rprop": "torch.optim.rprop:Rprop",
    "SGD": "torch.optim.sgd:SGD",
    "SparseAdam": "torch.optim.sparse_adam:SparseAdam",
}

SCHEDULERS = {
    "constant": "mlrecipe.training.schedules:constant",
    "cosine": "mlrecipe.training.schedules:cosine",
    "cosine_with_restarts": "mlrecipe.training.schedules:cosine_with_restarts",
    "inverse_sqrt": "mlrecipe.training.schedules:inverse_sqrt",
    "linear": "mlrecipe.training.schedules:linear",
    "one_cycle": "mlrecipe.training.schedules:one_cycle",
    "polynomial": "mlrecipe.training.schedules:polynomial",
}

# Left out: those that TOML cannot set up, for they need functions or a module of one's own, and
# those that print.
CALLBACKS = {
    "BackboneFinetuning": f"{_CALLBACKS}.finetuning:BackboneFinetuning",
    "DeviceStatsMonitor": f"{_CALLBACKS}.device_stats_monitor:DeviceStatsMonitor",
    "EMAWeightAveraging": "mlrecipe.training.keeping.averaging:EMAWeightAveraging",
    "EarlyStopping": "mlrecipe.training.lightning:EarlyStopping",
    "LearningRateMonitor": f"{_CALLBACKS}.lr_monitor:LearningRateMonitor",
    "ModelCheckpoint": "mlrecipe.training.lightning:ModelCheckpoint",
    "ModelPruning": f"{_CALLBACKS}.pruning:ModelPruning",
    "OnExceptionCheckpoint": f"{_CALLBACKS}.on_exception_checkpoint:OnExceptionCheckpoint",
    "SpikeDetection": f"{_CALLBACKS}.spike:SpikeDetection",
    "StochasticWeightAveraging": "mlrecipe.training.keeping.averaging:StochasticWeightAveraging",
    "Timer": f"{_CALLBACKS}.timer:Timer",
    "WeightAveraging": "mlrecipe.training.keeping.averaging:WeightAveraging",
    "gradual-unfreezing": "mlrecipe.training.unfreezing:GradualUnfreezing",
}

LOGGERS = {
    "CSVLogger": "mlrecipe.training.lightning:CSVLogger",
    "CometLogger": f"{_LOGGERS}.comet:CometLogger",
    "LitLogger": f"{_LOGGERS}.litlogger:LitLogger",
    "MLFlowLogger": f"{_TRACKING}.mlflow_logger:MLFlowLogger",
    "TensorBoardLogger": f"{_TRACKING}.tensorboard:TensorBoardLogger",
    "WandbLogger": f"{_TRACKING}.wandb_logger:WandbLogger",
}

DATAMODULES = {"rows": "mlrecipe.training.rows:RowsModule"}

for _name, _target in OPS.items():
    registries["op"].add(_name, _target)
for _name, (_target, _types) in FORMATS.items():
    registries["format"].add(_name, _target, types=_types)
for _name, _target in TASKS.items():
    registries["task"].add(_name, _target)
for _name, _target in MODELS.items():
    registries["model"].add(_name, _target)
for _name, (_target, _types) in METRICS.items():
    registries["metric"].add(_name, _target, types=_types)
for _name, _target in OPTIMIZERS.items():
    registries["optimizer"].add(_name, _target)
for _name, _target in SCHEDULERS.items():
    registries["scheduler"].add(_name, _target)
for _name, _target in CALLBACKS.items():
    registries["callback"].add(_name, _target)
for _name, _target in LOGGERS.items():
    registries["logger"].add(_name, _target)
for _name, _target in DATAMODULES.items():
    registries["datamodule"].add(_name, _target)
