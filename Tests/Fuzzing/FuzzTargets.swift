/// All targets by name, those that take longest first, so that two cores are done at about the same time. Each has a folder
/// of the same name in `Corpora`.
enum FuzzTargets {
  /// Written once, before the first input.
  nonisolated(unsafe) static var chosen: @Sendable ([UInt8]) -> Void = { _ in }

  static let all: KeyValuePairs<String, @Sendable ([UInt8]) -> Void> = [
    "clip-tokenizer": TokenizerTargets.clip,
    "pickle": TorchTargets.pickle,
    "tokenizer": TokenizerTargets.tokenizer,
    "sentencepiece": TokenizerTargets.sentencePiece,
    "journal": JournalTargets.journal,
    "parameters": MediaTargets.parameters,
    "png": MediaTargets.png,
    "safetensors": FileTargets.safetensors,
    "keys": EnrolmentTargets.keys,
    "configuration": ConfigurationTargets.configuration,
    "allow-list": EnrolmentTargets.allowList,
    "torch": TorchTargets.torch,
    "transfer": TransferTarget.transfer,
    "ledger": JournalTargets.ledger,
    "prompts": FileTargets.prompts,
    "settings": MessageTargets.settings,
    "json": FileTargets.json,
    "message": MessageTargets.message,
    "endpoint": EnrolmentTargets.endpoint,
    "workers": EnrolmentTargets.workers,
    "mp4": MediaTargets.mp4,
  ]
}
