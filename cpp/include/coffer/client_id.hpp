#pragma once

#include <array>
#include <cstdint>

namespace coffer {

/// What the server knows a client by. It is a secret: no message shows it.
using ClientId = std::array<std::uint8_t, 16>;

} // namespace coffer
