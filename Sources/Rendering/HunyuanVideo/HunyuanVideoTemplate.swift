import Conditioning

/// The request to describe a video that a prompt is put into, as the model was trained with
/// (`DEFAULT_PROMPT_TEMPLATE` of diffusers' `pipeline_hunyuan_video.py`).
enum HunyuanVideoTemplate {
  private static let aspects = [
    "1. The main content and theme of the video.",
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects.",
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the objects.",
    "4. background environment, light, style and atmosphere.",
    "5. camera angles, movements, and transitions used in the video:",
  ].joined()

  /// What stands before the prompt; the hidden states of its tokens are dropped.
  static let head =
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the video by detailing the following aspects: \(aspects)"
    + "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"

  static func text(_ prompt: String) -> String { head + prompt + "<|eot_id|>" }
}
