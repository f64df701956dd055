#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "coffer/client_id.hpp"
#include "coffer/keys.hpp"

namespace coffer {

/// Who a client is to its server, as me.info keeps it:
///
///   line 1   the name
///   line 2   the client id, 32 hex digits
///   line 3   the private key, base64 of DER (PKCS #8)
///
/// Whoever has the file can open what was stored, and nobody else can.
struct Identity {
    std::string name;
    ClientId client{};
    PrivateKey key;

    /// Throws FileError or KeyError. The base64 may go on over more lines, as
    /// earlier clients wrote it.
    [[nodiscard]] static Identity parse(std::string_view text);
    [[nodiscard]] static Identity load(const std::filesystem::path& file);

    [[nodiscard]] std::string format() const;
    /// Replaces the file in one step; nobody but its owner can read it (mode
    /// 0600; on Windows, what the folder grants). Throws FileError.
    void save(const std::filesystem::path& file) const;
};

} // namespace coffer
