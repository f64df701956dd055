#include "connection.hpp"

#include <array>
#include <system_error>

#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/error.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "coffer/error.hpp"

namespace coffer {
namespace {

/// Asio's own condition hands the system at most 64 KiB at a time.
std::size_t wholeAtOnce(const std::error_code& error, std::size_t /*moved*/) {
    constexpr std::size_t most = 16U << 20U;
    return error ? 0 : most;
}

} // namespace

Connection::Connection(const Endpoint& server, Limit limit) {
    const std::string where = server.host + ":" + std::to_string(server.port);
    asio::ip::tcp::resolver resolver(io_);
    std::error_code error;
    const auto addresses = resolver.resolve(server.host, std::to_string(server.port), error);
    if (error) {
        throw ConnectionError("the address of " + server.host +
                              " was not found: " + error.message());
    }
    await(("connecting to " + where).c_str(), limit, [&](Done done) {
        asio::async_connect(
            socket_, addresses,
            [done = std::move(done)](const std::error_code& e, const asio::ip::tcp::endpoint&) {
                done(e, 0);
            });
    });
    // A request that waits for more to send, waits in vain.
    socket_.set_option(asio::ip::tcp::no_delay(true), error);
    socket_.non_blocking(true, error); // for hasInput
    if (error) {
        throw ConnectionError("connecting to " + where + ": " + error.message());
    }
}

void Connection::write(ByteView head, ByteView content, Limit limit) {
    std::array<asio::const_buffer, 2> buffers{asio::buffer(head.data(), head.size()),
                                              asio::buffer(content.data(), content.size())};
    await("sending to the server", limit,
          [&](Done done) { asio::async_write(socket_, buffers, wholeAtOnce, std::move(done)); });
}

Bytes Connection::read(std::size_t size, Limit limit) {
    Bytes bytes(size);
    if (size > 0) {
        await("waiting for the server's answer", limit,
              [&](Done done) { asio::async_read(socket_, asio::buffer(bytes), std::move(done)); });
    }
    return bytes;
}

bool Connection::hasInput() {
    std::array<std::uint8_t, 1> byte{};
    std::error_code error;
    const std::size_t n =
        socket_.receive(asio::buffer(byte), asio::socket_base::message_peek, error);
    return n > 0 || error != asio::error::would_block;
}

std::size_t Connection::await(const char* what, Limit limit,
                              const std::function<void(Done)>& start) {
    std::error_code error = asio::error::would_block;
    std::size_t moved = 0;
    start([&](const std::error_code& e, std::size_t n) {
        error = e;
        moved = n;
    });
    io_.restart();
    io_.run_for(limit);
    if (!io_.stopped()) {
        // The operation refers to what is on this stack: it has to end first.
        std::error_code ignored;
        socket_.close(ignored);
        io_.run();
        throw ConnectionError(std::string(what) + ": it took longer than " +
                              std::to_string(limit.count()) + " ms");
    }
    if (error == asio::error::eof) {
        throw ConnectionError(std::string(what) + ": the server closed the connection");
    }
    if (error) {
        throw ConnectionError(std::string(what) + ": " + error.message());
    }
    return moved;
}

} // namespace coffer
