#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "coffer/bytes.hpp"
#include "coffer/client.hpp"

namespace coffer {

/// One TCP connection. Every call blocks, but never for longer than its limit;
/// what goes wrong is thrown as ConnectionError.
class Connection {
public:
    using Limit = std::chrono::milliseconds;

    Connection(const Endpoint& server, Limit limit);

    /// Writes head and content as one.
    void write(ByteView head, ByteView content, Limit limit);
    /// Reads size bytes.
    [[nodiscard]] Bytes read(std::size_t size, Limit limit);
    /// Whether something has come that was not read yet: bytes, or the end.
    [[nodiscard]] bool hasInput();

private:
    using Done = std::function<void(const std::error_code&, std::size_t)>;

    /// Starts an operation and waits until it is done.
    std::size_t await(const char* what, Limit limit, const std::function<void(Done)>& start);

    asio::io_context io_;
    asio::ip::tcp::socket socket_{io_};
};

} // namespace coffer
