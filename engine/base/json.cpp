#include "engine/base/json.h"

#include <vector>

#include "engine/base/printable.h"

namespace edgeprune {
namespace {

using nlohmann::json;

/// Puts together what nlohmann's parser, which does not recurse, finds. (nlohmann's own reader with
/// a callback looks through all of an object's or list's values whenever one of them ends, which
/// takes hours for a few megabytes of {}; and it keeps the last of two equal keys.)
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(size_t text_size, const std::string& source, const JsonLimits& limits)
      : text_size_(text_size), source_(source), limits_(limits) {}

  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // of binary formats only
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [member, fresh] = open_.back()->emplace(name, nullptr);
    require_file(fresh, source_, "\"{}\" is there twice", printable(name));
    member_ = &*member;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception& error) override {
    const std::string message = error.what();  // "[json.exception...] parse error at line 1, ..."
    const std::string text = fmt::format("{}: not JSON: {}", source_,
                                         printable(message.substr(message.find("] ") + 2), 200));
    if (position > text_size_) throw TruncatedJson(text);
    throw FileError(text);
  }

 private:
  /// The value's place: the whole text's, a list's next or the last key's.
  json& place(json value) {
    require_file(++values_ <= limits_.values, source_, "more than {} values", limits_.values);
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_object()) return *member_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }

  bool put(json value) {
    place(std::move(value));
    return true;
  }

  bool open(json value) {
    require_file(open_.size() < limits_.depth, source_, "nests too deeply: more than {} deep",
                 limits_.depth);
    open_.push_back(&place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const size_t text_size_;
  const std::string& source_;
  const JsonLimits limits_;
  json root_;
  std::vector<json*> open_;  ///< objects and lists that have not ended; the last one grows
  json* member_ = nullptr;   ///< of the object that grows: its last key's value
  size_t values_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  Builder builder(text.size(), source, limits);
  json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace edgeprune
