// Full steps of stable-diffusion.cpp's FLUX with random weights, a block of each kind, in the sizes of `Benchmarks step`.
//
//     sdcpp-steps MODEL [--dtype float32|bfloat16|int8] [--threads N]
//
// MODEL is flux-512 or flux-1024; int8 is ggml's q8_0. Prints "ready" when it is warm, then one time in seconds for each
// line that it reads, so that another program can time its own work in turns with it. Attention is ggml's flash attention
// (--diffusion-fa of stable-diffusion.cpp), which is the faster one.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "flux.hpp"

namespace {

constexpr int64_t WIDTH = 3072, CONTEXT_WIDTH = 4096, POOLED_WIDTH = 768, TEXT_TOKENS = 512, CHANNELS = 16;
const std::string PREFIX = "model.diffusion_model";

[[noreturn]] void fail(const std::string& message) {
  std::cerr << "sdcpp-steps: " << message << std::endl;
  std::exit(2);
}

std::mt19937 generator(0);

std::vector<float> normal(size_t count, float deviation) {
  std::normal_distribution<float> distribution(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(generator);
  return values;
}

sd::Tensor<float> normal_tensor(std::vector<int64_t> shape) {
  const auto count = static_cast<size_t>(sd::tensor_numel(shape));
  return sd::Tensor<float>(std::move(shape), normal(count, 1));
}

// What the runner finds the depth, the widths and the types of the weights by.
String2TensorStorage storages(ggml_type type) {
  String2TensorStorage storages;
  const auto add = [&](const std::string& name, ggml_type type, std::vector<int64_t> shape) {
    const std::string whole = PREFIX + "." + name;
    storages[whole] = TensorStorage(whole, type, shape.data(), static_cast<int>(shape.size()), 0);
  };
  add("txt_in.weight", type, {CONTEXT_WIDTH, WIDTH});
  add("guidance_in.in_layer.weight", type, {256, WIDTH});
  add("double_blocks.0.txt_attn.norm.key_norm.scale", GGML_TYPE_F32, {128});
  add("single_blocks.0.norm.key_norm.scale", GGML_TYPE_F32, {128});
  return storages;
}

using Runner = std::unique_ptr<Flux::FluxRunner>;
using Parameters = std::map<std::string, ggml_tensor*>;

// Made twice: the first tells the names of all weights, so that the second can have the type.
Runner make_runner(ggml_backend_t backend, ggml_type type, Parameters& parameters) {
  auto known = storages(type);
  Parameters names;
  Flux::FluxRunner first(backend, false, known, PREFIX);
  first.get_param_tensors(names, PREFIX);
  for (const auto& [name, tensor] : names)
    if (ends_with(name, ".weight")) known[name] = TensorStorage(name, type, tensor->ne, ggml_n_dims(tensor), 0);
  auto runner = std::make_unique<Flux::FluxRunner>(backend, false, known, PREFIX);
  if (!runner->alloc_params_buffer()) fail("weights found no memory");
  runner->get_param_tensors(parameters, PREFIX);
  return runner;
}

void fill(const Parameters& parameters, ggml_type type) {
  for (const auto& [name, tensor] : parameters) {
    const int64_t columns = tensor->ne[0], rows = ggml_nelements(tensor) / columns;
    if (ends_with(name, ".weight") && tensor->type != type) fail(name + " has another type");
    const auto values = normal(static_cast<size_t>(rows * columns), rows > 1 ? 0.02f : 1.0f);
    std::vector<uint8_t> bytes(ggml_nbytes(tensor));
    if (tensor->type == GGML_TYPE_F32) {
      std::memcpy(bytes.data(), values.data(), bytes.size());
    } else {
      ggml_quantize_chunk(tensor->type, values.data(), bytes.data(), 0, rows, columns, nullptr);
    }
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, int64_t> sides = {{"flux-512", 64}, {"flux-1024", 128}};
  const std::map<std::string, ggml_type> types = {
      {"float32", GGML_TYPE_F32}, {"bfloat16", GGML_TYPE_BF16}, {"int8", GGML_TYPE_Q8_0}};
  if (argc < 2 || !sides.count(argv[1])) fail("the model is flux-512 or flux-1024");
  std::string dtype = "bfloat16";
  int threads = 1;
  for (int i = 2; i < argc; i += 2) {
    const std::string option = argv[i];
    if (i + 1 == argc) fail(option + " needs a value");
    if (option == "--dtype") dtype = argv[i + 1];
    else if (option == "--threads") threads = std::atoi(argv[i + 1]);
    else fail("there is no option " + option);
  }
  if (!types.count(dtype)) fail("--dtype is float32, bfloat16 or int8");
  if (threads < 1) fail("--threads must be 1 at least");
  const int64_t side = sides.at(argv[1]);

  ggml_backend_t backend = ggml_backend_cpu_init();
  Parameters parameters;
  const Runner runner = make_runner(backend, types.at(dtype), parameters);
  fill(parameters, types.at(dtype));
  runner->set_flash_attention_enabled(true);

  const auto latents = normal_tensor({side, side, CHANNELS, 1}), text = normal_tensor({CONTEXT_WIDTH, TEXT_TOKENS, 1});
  const auto pooled = normal_tensor({POOLED_WIDTH, 1});
  const auto time = sd::Tensor<float>::from_vector({0.5f}), guidance = sd::Tensor<float>::from_vector({3.5f});
  const auto step = [&] {
    if (runner->compute(threads, latents, time, text, {}, pooled, guidance).empty()) fail("a step failed");
  };
  step();
  step();
  std::cout << "ready " << ggml_version() << (LLAMAFILE ? " with" : " without") << " llamafile" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    step();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << std::endl;
  }
}
