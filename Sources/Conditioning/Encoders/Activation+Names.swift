import Tensors

extension Activation {
  /// The function of that name in transformers' configurations (`ACT2FN`), if the text encoders here have it.
  init?(transformersName name: String) {
    switch name {
    case "quick_gelu": self = .quickGELU
    case "gelu": self = .geluErf
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": self = .geluTanh
    case "relu": self = .relu
    case "silu", "swish": self = .silu
    default: return nil
    }
  }
}
