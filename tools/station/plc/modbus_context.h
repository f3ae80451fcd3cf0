#pragma once
// libmodbus' objects, which free themselves but close no connection.

#include <modbus.h>

#include <memory>

namespace edgeprune::station {

struct FreeModbus {
  void operator()(modbus_t* context) const { modbus_free(context); }
  void operator()(modbus_mapping_t* mapping) const { modbus_mapping_free(mapping); }
};
using ModbusContext = std::unique_ptr<modbus_t, FreeModbus>;
using ModbusMapping = std::unique_ptr<modbus_mapping_t, FreeModbus>;

}  // namespace edgeprune::station
