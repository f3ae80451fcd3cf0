#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/tools/station/bundle/sample_bundle.h"
#include "tools/station/bundle/archive.h"
#include "tools/station/bundle/counters.h"
#include "tools/station/bundle/pixmap.h"

namespace edgeprune::station {
namespace {

using testing::message_of;
using testing::TemporaryFolder;

std::string with(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Keys, SignAndVerify) {
  const Key key = Key::generate(), other = Key::generate();
  const Signature signature = key.sign("text");
  EXPECT_EQ(signature.size(), kSignatureBytes);
  EXPECT_TRUE(key.verify("text", signature));
  EXPECT_TRUE(Key::parse_public(key.public_pem(), "pem").verify("text", signature));
  EXPECT_FALSE(key.verify("text ", signature));
  EXPECT_FALSE(other.verify("text", signature));
  EXPECT_FALSE(key.verify("text", ""));
  EXPECT_FALSE(key.verify("text", signature + "x"));
}

// RFC 8032, section 7.1, test 2: the private key in PKCS #8 is 16 fixed bytes and its 32.
TEST(Keys, AreEd25519OfTheRfc) {
  const TemporaryFolder folder;
  const std::string path = folder.file("rfc.pem");
  std::ofstream(path) << "-----BEGIN PRIVATE "
                         "KEY-----\nMC4CAQAwBQYDK2VwBCIEIEzNCJso/"
                         "5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n-----END PRIVATE KEY-----\n";
  ::chmod(path.c_str(), 0600);
  std::string digits;
  for (const char c : Key::read_private(path).sign("\x72")) {
    digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  EXPECT_EQ(digits,
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(Keys, ArePrivateToTheirOwner) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key.pem");
  const Key key = Key::generate();
  key.write_private(path);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(Key::read_private(path).public_pem(), key.public_pem());
  EXPECT_THROW(key.write_private(path), FileError) << "no key is overwritten";
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(message_of<FileError>([&] { Key::read_private(path); }),
            path + ": others may read this private key: expected the permissions 0600, got 0640");
}

TEST(Keys, AreRefusedIfTheyAreNone) {
  EXPECT_EQ(message_of<FileError>([] { Key::parse_public("nonsense", "root"); }),
            "root: expected a public Ed25519 key in PEM, without a pass phrase");
  const TemporaryFolder folder;
  const std::string path = folder.file("key.pem");
  Key::generate().write_private(path);
  EXPECT_THROW(Key::read_public(path), FileError);
  EXPECT_THROW(Key::read_public(folder.file("none")), FileError);
}

TEST(KeyCertificates, ComeBackAndAreStrict) {
  const KeyCertificate certificate{"line 1", Key::generate().public_pem(), 3, 9};
  const std::string text = certificate_text(certificate);
  const KeyCertificate read = parse_certificate(text, "cert");
  EXPECT_EQ(certificate_text(read), text);
  EXPECT_EQ(read.last_counter, 9);
  EXPECT_THROW(parse_certificate(with(text, "\"last_counter\": 9", "\"last_counter\": 2"), "cert"),
               FileError);
  EXPECT_THROW(parse_certificate(with(text, "\"name\"", "\"nome\""), "cert"), FileError);
  EXPECT_THROW(parse_certificate(with(text, "{", "{\"more\": 1,"), "cert"), FileError);
  EXPECT_THROW(parse_certificate(with(text, "certificate/1", "certificate/2"), "cert"), FileError);
}

TEST(Manifests, ComeBackAndAreStrict) {
  SampleBundle sample;
  const std::string text = [&] {
    const std::string whole = sample.sealed();
    return std::string(unpack(whole, "bundle").front().second);
  }();
  EXPECT_EQ(manifest_text(parse_manifest(text, "m")), text);
  const auto refused = [&](const std::string& from, const std::string& to) {
    return message_of<FileError>([&] { parse_manifest(with(text, from, to), "m"); });
  };
  EXPECT_EQ(refused("\"counter\": 7", "\"counter\": 0"),
            "m: counter: expected a whole number of 1 or more, got 0");
  EXPECT_EQ(refused("\"product\"", "\"produkt\""), "m: product: is missing");
  EXPECT_NE(
      refused("\"accuracy\": {", "\"accuracy\": {\"x\": 1,").find("gates.accuracy.x: unknown key"),
      std::string::npos);
  EXPECT_NE(refused("\"found\": 0.95", "\"found\": 1.5")
                .find("gates.accuracy.found: expected a number from 0 to 1"),
            std::string::npos);
  EXPECT_NE(refused("\"engine\": \"dense\"", "\"engine\": \"abacus\"").find("golden.engine"),
            std::string::npos);
  EXPECT_NE(refused("\"class\": \"class 1\"", "\"class\": \"class 77\"").find("unknown: class 77"),
            std::string::npos);
  EXPECT_NE(refused("\"logits\": [", "\"logits\": [1, ").find("expected 10 numbers, got 11"),
            std::string::npos);
}

TEST(Archives, HaveOneFormAndNoPaths) {
  const Files files = {{"a.txt", "first"}, {"b", std::string(512, 'x')}, {"empty", ""}};
  const std::string packed = pack(files);
  const FileViews views = unpack(packed, "x");
  ASSERT_EQ(views.size(), 3u);
  EXPECT_EQ(views[0].second, "first");
  EXPECT_EQ(views[1].second, files[1].second);
  EXPECT_EQ(views[2].second, "");
  for (const char* name : {"", "../up", "/etc/passwd", "a/b", ".hidden", "-rf", "a b", "a\nb"}) {
    EXPECT_THROW(pack({{name, ""}}), std::invalid_argument) << name;
  }
  // The same headers with another name: what pack() would not write is not read.
  std::string escaping = packed;
  escaping.replace(0, 5, "../ab");
  EXPECT_EQ(message_of<FileError>([&] { unpack(escaping, "x"); }),
            "x: it is damaged, or no bundle: no header of a file at byte 0");
}

TEST(Archives, SizesThatAreNotThereAskForNoMemory) {
  std::string packed = pack({{"a", "first"}});
  packed.replace(124, 11, "37777777777");
  EXPECT_THROW(unpack(packed, "x"), FileError);
  EXPECT_THROW(unpack(std::string(512, '\0'), "x"), FileError);
}

TEST(Pixmaps, ComeBackAndAreStrict) {
  const Image image{2, 1, {1, 2, 3, 10, 13, 32}};
  const std::string bytes = pixmap_of(image);
  EXPECT_EQ(bytes.substr(0, 11), "P6\n1 2\n255\n");
  EXPECT_EQ(parse_pixmap(bytes, "x"), image);
  for (const std::string& bad :
       {bytes + "x", bytes.substr(0, bytes.size() - 1), with(bytes, "1 2", "1  2"),
        with(bytes, "1 2", "0 2"), with(bytes, "P6", "P5"), std::string("P6\n"), std::string(),
        std::string("P6\n-1 -6\n255\nxxxxxxxxxxxxxxxxxx")}) {
    EXPECT_THROW(parse_pixmap(bad, "x"), FileError) << bad;
  }
}

TEST(CounterStores, ComeBackAndAreStrict) {
  const TemporaryFolder folder;
  const std::string path = folder.file("counters.json");
  EXPECT_TRUE(read_counters(path).empty());
  write_counters(path, {{"parts", 7}, {"bottles", 3}});
  EXPECT_EQ(read_counters(path), (Counters{{"parts", 7}, {"bottles", 3}}));
  for (const char* text :
       {"", "{}", "[]", R"({"format": "edgeprune-counters/1"})",
        R"({"format": "edgeprune-counters/1", "accepted": [{"product": "p", "counter": -1}]})"}) {
    write_file_atomically(path, text);
    EXPECT_THROW(read_counters(path), FileError) << text;
  }
}

}  // namespace
}  // namespace edgeprune::station
