/// All targets by name. Each has a folder of the same name in `Corpora`.
enum FuzzTargets {
  /// Written once, before the first input.
  nonisolated(unsafe) static var chosen: @Sendable ([UInt8]) -> Void = { _ in }

  static let all: [String: @Sendable ([UInt8]) -> Void] = [
    "message": MessageTargets.message,
    "settings": MessageTargets.settings,
    "transfer": TransferTarget.transfer,
    "journal": JournalTargets.journal,
    "ledger": JournalTargets.ledger,
    "json": FileTargets.json,
    "safetensors": FileTargets.safetensors,
    "torch": TorchTargets.torch,
    "pickle": TorchTargets.pickle,
    "png": MediaTargets.png,
    "parameters": MediaTargets.parameters,
    "mp4": MediaTargets.mp4,
    "prompts": FileTargets.prompts,
    "tokenizer": TokenizerTargets.tokenizer,
    "clip-tokenizer": TokenizerTargets.clip,
    "sentencepiece": TokenizerTargets.sentencePiece,
    "configuration": ConfigurationTargets.configuration,
    "allow-list": EnrolmentTargets.allowList,
    "keys": EnrolmentTargets.keys,
    "endpoint": EnrolmentTargets.endpoint,
    "workers": EnrolmentTargets.workers,
  ]
}
