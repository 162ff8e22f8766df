/// What a special token is for, by the keys of tokenizer_config.json and in the order in which transformers adds them.
enum SpecialTokenRole: String, Sendable, CaseIterable {
  case begin = "bos_token"
  case end = "eos_token"
  case unknown = "unk_token"
  case separator = "sep_token"
  case pad = "pad_token"
  case classification = "cls_token"
  case mask = "mask_token"
}
