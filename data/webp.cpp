#include "data/image_codec.h"
#include "data/jpeg_segments.h"
#include "engine/base/check.h"

#if EDGEPRUNE_WEBP
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#endif

namespace edgeprune {
namespace {

bool is_webp(std::span<const char> file) {
  const std::string_view text(file.data(), file.size());
  return text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP";
}

#if EDGEPRUNE_WEBP
std::string webp_version() {
  const int version = WebPGetDecoderVersion();
  return fmt::format("{}.{}.{}", version >> 16, version >> 8 & 255, version & 255);
}

const uint8_t* webp_bytes(std::span<const char> file) {
  return reinterpret_cast<const uint8_t*>(file.data());
}

void check_webp(VP8StatusCode status, const std::string& path) {
  const bool ends = status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED;
  require_file(!ends, path, "truncated WebP image");
  require_file(status != VP8_STATUS_OUT_OF_MEMORY, path, "WebP image that takes too much memory");
  require_file(status == VP8_STATUS_OK, path, "corrupt WebP image");
}

int webp_orientation(std::span<const char> file) {
  const WebPData data{webp_bytes(file), file.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> parts(WebPDemux(&data),
                                                                       WebPDemuxDelete);
  if (parts == nullptr) return 1;
  WebPChunkIterator chunk;
  int orientation = 1;
  if (WebPDemuxGetChunk(parts.get(), "EXIF", 1, &chunk) != 0) {
    orientation =
        exif_orientation({reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size});
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  return orientation;
}

ImageHeader webp_header(std::span<const char> file, const std::string& path) {
  WebPBitstreamFeatures features;
  check_webp(WebPGetFeatures(webp_bytes(file), file.size(), &features), path);
  require_file(features.has_animation == 0, path, "animated WebP, a still image was expected");
  return {features.width, features.height, webp_orientation(file)};
}

/// libwebp needs four bytes a pixel beside these, whatever the file says: no limit is to be set.
Image decode_webp(std::span<const char> file, const std::string& path, const ImageHeader& header,
                  size_t /*max_bytes*/) {
  Image image{header.height, header.width, {}};
  image.rgb.resize(size_t{3} * header.height * header.width);
  WebPDecoderConfig config;
  require_file(WebPInitDecoderConfig(&config) != 0, path, "libwebp is of another version");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {image.rgb.data(), 3 * header.width, image.rgb.size()};
  check_webp(WebPDecode(webp_bytes(file), file.size(), &config), path);
  return image;
}
#endif

}  // namespace

ImageCodec webp_codec() {
  ImageCodec codec{"WebP", "libwebp", {".webp"}, nullptr, is_webp, nullptr, nullptr};
#if EDGEPRUNE_WEBP
  codec.version = webp_version;
  codec.header = webp_header;
  codec.decode = decode_webp;
#endif
  return codec;
}

}  // namespace edgeprune
