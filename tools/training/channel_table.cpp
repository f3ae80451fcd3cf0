#include "tools/training/channel_table.h"

namespace edgeprune {

void add_channel_row(Table& table, const std::string& what, int64_t before, int64_t after,
                     const std::string& note) {
  table.add_row({what, before, after, Number{100.0 * double(after) / double(before), 1},
                 note.empty() ? Cell() : Cell(note)});
}

Table channel_table(const ChannelPlan& plan, const ModelSummary& before,
                    const ModelSummary& after) {
  Table table({{"what", "what", Align::left},
               {"before", "before"},
               {"after", "after"},
               {"left %", "left_percent"},
               {"why no more go", "note", Align::left}});
  int64_t channels = 0;
  for (const auto& [group, kept, note] : plan) {
    add_channel_row(table, group.name, group.channels, static_cast<int64_t>(kept.size()), note);
    channels += group.channels;
  }
  add_channel_row(table, "channels", channels, channels - removed_channels(plan));
  add_channel_row(table, "parameters", before.parameters, after.parameters);
  add_channel_row(table, "multiply-adds", before.multiply_adds, after.multiply_adds);
  return table;
}

}  // namespace edgeprune
