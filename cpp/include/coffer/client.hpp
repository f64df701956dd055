#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "coffer/bytes.hpp"
#include "coffer/client_id.hpp"
#include "coffer/identity.hpp"
#include "coffer/keys.hpp"

namespace coffer {

class Connection;

/// Where a server listens.
struct Endpoint {
    static constexpr std::uint16_t defaultPort = 1256;

    std::string host;
    std::uint16_t port = defaultPort;
};

/// How long a client waits.
struct Limits {
    std::chrono::milliseconds connect = std::chrono::seconds(10);
    std::chrono::milliseconds answer = std::chrono::seconds(60); // and for one packet to leave
    /// For 1603, and for 1604 to a 1029: the server syncs its disk first.
    std::chrono::milliseconds commit = std::chrono::minutes(5);
};

/// What became of one file that was sent.
struct Transfer {
    std::uint32_t size;        // of the plaintext
    std::uint32_t ownCksum;    // of the plaintext, as it was read here
    std::uint32_t serverCksum; // of what the server decrypted

    [[nodiscard]] bool matches() const noexcept { return ownCksum == serverCksum; }
};

/// Called as ciphertext leaves, with the bytes of this file so far and in all.
using SendProgress = std::function<void(std::uint64_t sent, std::uint64_t total)>;

/// One connection to a server, with every base request as a method. It decides
/// nothing: a Session is what tries again. Every method throws ConnectionError,
/// ProtocolError or RefusedError, and what else it names. After one of the first
/// two the connection is of no more use.
class Client {
public:
    /// Connects. Throws ConnectionError.
    explicit Client(const Endpoint& server, const Limits& limits = {});
    Client(Client&& other) noexcept;
    Client& operator=(Client&& other) noexcept;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    /// 1025: registers a name. Throws NameRefusedError.
    [[nodiscard]] ClientId registerName(std::string_view name);

    /// 1026: sends the public key and takes the session key that comes back.
    void exchangeKeys(const Identity& identity);

    /// 1027: takes a new session key. Throws ReconnectDeniedError.
    void reconnect(const Identity& identity);

    /// 1028: sends a whole file, under a name of its own, and waits for the
    /// checksum (1603). Needs a session key. Throws FileError.
    [[nodiscard]] Transfer send(const std::filesystem::path& path, std::string_view name,
                                const SendProgress& progress = {});

    /// 1029: the checksum matches. When this returns, the file is committed.
    void confirm(std::string_view name);

    /// 1030: the checksum differs, and the file is sent again now. Nothing is
    /// waited for: the server answers only a client that stays silent.
    void announceRetry(std::string_view name);

    /// 1031: the checksum differs, and that was the last time.
    void giveUp(std::string_view name);

private:
    void takeSessionKey(const Identity& identity, std::string_view request);

    std::unique_ptr<Connection> connection_;
    Limits limits_;
    ClientId client_{};
    std::optional<SessionKey> sessionKey_;
};

} // namespace coffer
