#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "data/open.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/station/camera/fake_camera.h"
#include "tools/station/camera/folder_camera.h"

namespace edgeprune::commands {
namespace {

using namespace std::chrono_literals;

struct FakeCameraArguments {
  std::string images, interface = "127.0.0.1", serial = "1";
  double lost = 0;
};

void run(const FakeCameraArguments& o) {
  const InterruptGuard guard;
  std::vector<Image> images;
  if (o.images.starts_with("synthetic")) {
    images = open_dataset(o.images, Split::test, {}).images;
  } else {
    for (const std::string& path : station::images_of_camera(o.images)) {
      throw_if_interrupted();
      images.push_back(read_image(path));
    }
  }
  const size_t count = images.size();
  station::FakeCamera camera(o.interface, o.serial, std::move(images));
  camera.lose_packets(o.lost);
  say(fmt::format("fake camera Aravis-Fake-{} on {}: {} images; Ctrl-C ends it", o.serial,
                  o.interface, count));
  while (!interrupted()) std::this_thread::sleep_for(50ms);
  say(fmt::format("{} images sent", camera.sent()));
}

}  // namespace

void add_fakecamera(CLI::App& app) {
  auto* command = app.add_subcommand(
      "fakecamera", "A GigE Vision camera that serves images from a folder, to try a station with");
  auto o = std::make_shared<FakeCameraArguments>();
  command
      ->add_option("images", o->images,
                   "a folder of images, a text file that names one a line, or synthetic[:N], test "
                   "images of the built-in set")
      ->required();
  command
      ->add_option("--interface", o->interface,
                   "the network interface, or its address, that it answers on")
      ->capture_default_str();
  command->add_option("--serial", o->serial, "its serial number: it is found as Aravis-Fake-SERIAL")
      ->capture_default_str();
  command
      ->add_option("--lost-packets", o->lost,
                   "of a thousand packets with images so many are not sent")
      ->check(between(0, 1000))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  edgeprune fakecamera parts\n"
      "  edgeprune fakecamera synthetic:2000\n"
      "  edgeprune fakecamera parts --lost-packets 10\n"
      "  arv-tool-0.8 -a 127.0.0.1 features                # what it can, by Aravis' own tool\n"
      "Each trigger gets the next image, in order of name, in the region and format that the "
      "station asked for. There is\n"
      "one such camera an interface: GigE Vision has a port of its own.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
