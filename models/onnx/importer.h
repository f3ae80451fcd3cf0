#pragma once
// Makes a Graph (engine/graph) of a model's nodes, one after the other (import.cpp says what of).

#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/tensor/archive.h"
#include "models/onnx/operator.h"

namespace edgeprune::onnx {

/// In which order a value of the file's has what a node of the graph puts out: images, channels, height, width; images, height,
/// width, channels; or images, channels.
enum class Layout { channels_first, channels_last, rows };

/// Pixels of zeros around a map.
struct Pads {
  int64_t above = 0, left = 0, below = 0, right = 0;
  bool operator==(const Pads&) const = default;
};

/// A value of the file's: what a node of the graph puts out, or what a later operator makes a node of.
struct Value {
  enum class Part { whole, plus_three, six_gates, six_swishes };  ///< on the way to hard_swish
  size_t node;
  Layout layout = Layout::channels_first;
  Pads pads = {};
  Part part = Part::whole;
};

class Importer {
 public:
  Importer(const Model& model, int64_t open_size);
  Archive run();

 private:
  using Method = void (Importer::*)(const Operator&);
  static const std::map<std::string, Method>& methods();
  void convert(const Node& node);

  // importer.cpp: what operators read and put out.
  const Value& value(const Operator& o, size_t i) const;
  const Value& whole(const Operator& o, size_t i) const;  ///< without padding, and no part
  const Value& map(const Operator& o, size_t i) const;    ///< a whole one with its channels first
  const MapShape& shape(const Value& value) const { return shapes_[value.node]; }
  bool is_point(const Value& value) const;
  std::string name_of(const Operator& o, const std::string& weight = "");
  void put_out(const Operator& o, Kind kind, std::vector<size_t> inputs, Layout layout,
               std::string name = "");
  void store(const std::string& name, const Shape& shape, const std::vector<float>& values);

  // layers.cpp
  struct Windows {
    int64_t kernel, stride;
    Pads pads;
  };
  Windows windows(const Operator& o, int64_t kernel);
  void convolution(const Operator& o);
  void linear(const Operator& o);
  void batch_norm(const Operator& o);
  void max_pool(const Operator& o);
  void average_pool(const Operator& o);
  void global_average_pool(const Operator& o);
  void mean(const Operator& o);

  // elementwise.cpp
  void activate(const Operator& o, Activation activation);
  void relu(const Operator& o);
  void hard_swish(const Operator& o) { activate(o, Activation::hard_swish); }
  void sigmoid(const Operator& o) { activate(o, Activation::sigmoid); }
  void swish(const Operator& o);
  void hard_sigmoid(const Operator& o);
  void clip(const Operator& o);
  void add(const Operator& o);
  void add_constant(const Operator& o, size_t constant);
  void multiply(const Operator& o);
  void divide(const Operator& o);
  void a_sixth(const Operator& o, size_t i);
  void softmax(const Operator& o);

  // layout.cpp
  void pass_on(const Operator& o) { values_[o.output()] = value(o, 0); }
  void constant(const Operator& o);
  void identity(const Operator& o);
  void cast(const Operator& o);
  void flatten(const Operator& o);
  void reshape(const Operator& o);
  void squeeze(const Operator& o);
  void unsqueeze(const Operator& o);
  void transpose(const Operator& o);
  void pad(const Operator& o);
  bool computes_shapes(const Operator& o);

  bool fold(const Operator& o);  ///< folding.cpp; false if it is nothing to be folded

  void keep_what_is_read(size_t last);
  std::map<std::string, std::string> metadata() const;

  const Model& model_;
  Constants constants_;
  std::deque<Tensor> made_;  ///< constants that attributes spell out
  Graph graph_{"onnx", 1.0, {}};
  std::vector<MapShape> shapes_;         ///< by node
  std::map<std::string, Value> values_;  ///< by name
  std::map<std::string, int> readers_;   ///< how many read a value
  std::set<std::string> sizes_;          ///< values made of maps' shapes
  std::map<std::string, Array> arrays_;
  std::set<size_t> without_bias_;  ///< linear nodes
  std::set<std::string> names_{"images"};
  std::vector<std::string> notes_;
  int64_t padding_zeros_ = 0;
  bool same_padding_ = false;  ///< depends on the images' size
};

}  // namespace edgeprune::onnx
