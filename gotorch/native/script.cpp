// Recording what operations do, and TorchScript modules: torch::jit.

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <map>
#include <memory>
#include <sstream>

#include "shim.h"

using namespace cgt;  // NOLINT
namespace jit = torch::jit;

struct cgt_script {
  jit::Module module;
};

namespace {

std::string quoted(const std::string& s) {
  std::string q = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') {
      q += '\\', q += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char u[8];
      std::snprintf(u, sizeof u, "\\u%04x", c);
      q += u;
    } else {
      q += c;
    }
  }
  return q + '"';
}

// Writes a recorded graph as JSON:
//   {"inputs": [id...], "output": id, "nodes": [{"op": name, "args": [{"name": n, KIND: value}...],
//   "out": [id...], "shapes": [[size...] or null...]}]}
// KIND is v (the id of a value), t (a constant tensor: its place in `tensors`), i, f (a string, as
// JSON has no infinity), b, s, l (a list of such objects); an argument that is None has none.
struct GraphWriter {
  std::vector<at::Tensor> tensors;

  std::string write(const jit::Graph& g) {
    std::ostringstream o;
    o << "{\"inputs\":[";
    for (size_t i = 0; i < g.inputs().size(); i++)
      o << (i ? "," : "") << quoted(g.inputs()[i]->debugName());
    o << "],\"nodes\":[";
    bool first = true;
    for (const jit::Node* n : g.nodes()) {
      if (is_literal(n)) continue;
      o << (first ? "" : ",") << node(*n);
      first = false;
    }
    o << "],\"output\":" << quoted(g.outputs().at(0)->debugName()) << "}";
    return o.str();
  }

 private:
  static bool is_literal(const jit::Node* n) {
    return n->kind() == c10::prim::Constant || n->kind() == c10::prim::ListConstruct;
  }

  std::string node(const jit::Node& n) {
    TORCH_CHECK(n.blocks().empty(), n.kind().toQualString(),
                " has a block: control flow is not recorded");
    const c10::FunctionSchema* schema = n.maybeSchema();
    std::ostringstream o;
    o << "{\"op\":" << quoted(n.kind().toQualString()) << ",\"args\":[";
    for (size_t i = 0; i < n.inputs().size(); i++) {
      const std::string name =
          schema && i < schema->arguments().size() ? schema->arguments()[i].name() : "";
      o << (i ? "," : "") << value(n.inputs()[i], name);
    }
    o << "],\"out\":[";
    for (size_t i = 0; i < n.outputs().size(); i++)
      o << (i ? "," : "") << quoted(n.outputs()[i]->debugName());
    o << "],\"shapes\":[";
    for (size_t i = 0; i < n.outputs().size(); i++) o << (i ? "," : "") << shape(*n.outputs()[i]);
    o << "]}";
    return o.str();
  }

  static std::string shape(const jit::Value& v) {
    const auto type = v.type()->cast<c10::TensorType>();
    const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
    if (!sizes) return "null";
    std::string list;
    for (const int64_t n : *sizes) list += (list.empty() ? "" : ",") + std::to_string(n);
    return "[" + list + "]";
  }

  std::string value(const jit::Value* v, const std::string& name = "") {
    const std::string open = "{\"name\":" + quoted(name);
    const jit::Node* n = v->node();
    if (n->kind() == c10::prim::ListConstruct) {
      std::string list;
      for (const jit::Value* e : n->inputs()) list += (list.empty() ? "" : ",") + value(e);
      return open + ",\"l\":[" + list + "]}";
    }
    if (n->kind() != c10::prim::Constant) return open + ",\"v\":" + quoted(v->debugName()) + "}";
    const auto constant = jit::toIValue(v);
    TORCH_CHECK(constant, "a constant of the graph has no value");
    return open + literal(*constant) + "}";
  }

  std::string literal(const c10::IValue& c) {
    if (c.isNone()) return "";
    if (c.isInt()) return ",\"i\":" + std::to_string(c.toInt());
    if (c.isBool()) return std::string(",\"b\":") + (c.toBool() ? "true" : "false");
    if (c.isDouble()) {
      char text[40];
      std::snprintf(text, sizeof text, "\"%.17g\"", c.toDouble());
      return std::string(",\"f\":") + text;
    }
    if (c.isString()) return ",\"s\":" + quoted(c.toStringRef());
    if (c.isDevice()) return ",\"s\":" + quoted(c.toDevice().str());
    if (c.isTensor()) {
      if (!c.toTensor().defined()) return "";
      tensors.push_back(c.toTensor());
      return ",\"t\":" + std::to_string(tensors.size() - 1);
    }
    if (c.isList()) {
      std::string list;
      for (const c10::IValue& e : c.toListRef())
        list += (list.empty() ? "" : ",") + ("{" + named(e) + "}");
      return ",\"l\":[" + list + "]";
    }
    TORCH_CHECK(false, "a constant of the kind ", c.tagKind(), " is not recorded");
  }

  std::string named(const c10::IValue& e) { return "\"name\":\"\"" + literal(e); }
};

}  // namespace

extern "C" {

char* cgt_trace_begin(cgt_t* inputs, int64_t n) {
  return nothing([&] {
    TORCH_CHECK(!jit::tracer::isTracing(), "this thread records a graph already");
    auto state = std::make_shared<jit::tracer::TracingState>();
    state->warn = false;
    for (int64_t i = 0; i < n; i++) {
      const at::Tensor t = T(inputs[i]);
      TORCH_CHECK(!state->hasValue(t), "the same tensor is given twice");
      jit::Value* v = state->graph->addInput();
      v->inferTypeFrom(t);
      state->setValue(t, v);
    }
    jit::tracer::setTracingState(std::move(state));
  });
}

void cgt_trace_abandon(void) { jit::tracer::setTracingState(nullptr); }

cgt_rl cgt_trace_end(cgt_t output, cgt_rs* graph) {
  *graph = {nullptr, 0, nullptr};
  const auto state = jit::tracer::getTracingState();
  const cgt_rl result = many([&] {
    TORCH_CHECK(state, "this thread records no graph");
    const at::Tensor t = T(output);
    TORCH_CHECK(state->hasValue(t),
                "the result does not come from operations that can be recorded");
    state->graph->registerOutput(state->getValue(t));
    GraphWriter writer;
    *graph = text([&] { return writer.write(*state->graph); });
    return std::move(writer.tensors);
  });
  jit::tracer::setTracingState(nullptr);
  return result;
}

cgt_rp cgt_script_define(const char* source, const char** names, cgt_t* tensors, int64_t n) {
  return pointer([&] {
    auto script = std::make_unique<cgt_script>(cgt_script{jit::Module("Network")});
    jit::Module& m = script->module;
    m.register_attribute("training", c10::BoolType::get(), false);
    for (int64_t i = 0; i < n; i++) {
      TORCH_CHECK(!m.hasattr(names[i]), "two tensors are called ", names[i]);
      m.register_parameter(names[i], T(tensors[i]).detach(), /*is_buffer=*/false);
    }
    m.define(source);
    return script.release();
  });
}

cgt_rp cgt_script_load(const char* path, int8_t device_type, int16_t device_index) {
  return pointer([&] {
    return new cgt_script{jit::load(std::string(path), device(device_type, device_index))};
  });
}

char* cgt_script_save(void* script, const char* path, const char** names, const char** texts,
                      int64_t n) {
  return nothing([&] {
    jit::ExtraFilesMap extra;
    for (int64_t i = 0; i < n; i++) extra[names[i]] = texts[i];
    static_cast<cgt_script*>(script)->module.save(std::string(path), extra);
  });
}

cgt_rt cgt_script_forward(void* script, cgt_t* inputs, int64_t n) {
  return one([&] {
    std::vector<c10::IValue> list;
    for (int64_t i = 0; i < n; i++) list.emplace_back(T(inputs[i]));
    return static_cast<cgt_script*>(script)->module.forward(std::move(list)).toTensor();
  });
}

void cgt_script_free(void* script) { delete static_cast<cgt_script*>(script); }

}  // extern "C"
