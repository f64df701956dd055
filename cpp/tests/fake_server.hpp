#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "coffer/client.hpp"
#include "messages.hpp"

/// A server on loopback that answers as a test says. It knows frames, and
/// nothing of what they mean.
class FakeServer {
public:
    struct Request {
        int connection; // from 0
        coffer::RequestCode code;
        coffer::ClientId client;
        coffer::Bytes payload;
    };
    struct Answer {
        coffer::Bytes bytes; // as they are sent; may be none
        bool closeAfterwards = false;
    };
    using Script = std::function<Answer(const Request&)>;

    /// Calls of script come one at a time, in the server's thread.
    explicit FakeServer(Script script);
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;
    ~FakeServer();

    [[nodiscard]] coffer::Endpoint endpoint() const;
    /// The codes of all requests so far, in order; packets but the first of a
    /// file are left out.
    [[nodiscard]] std::vector<unsigned> codes() const;

private:
    struct Connection;

    void accept();
    void readHeader(const std::shared_ptr<Connection>& connection);
    void readPayload(const std::shared_ptr<Connection>& connection);
    void answer(const std::shared_ptr<Connection>& connection);

    Script script_;
    asio::io_context io_;
    asio::ip::tcp::acceptor acceptor_;
    int connections_ = 0;

    mutable std::mutex mutex_;
    std::vector<unsigned> codes_; // guarded by mutex_

    std::thread thread_; // runs io_
};

/// A response of these fields.
[[nodiscard]] FakeServer::Answer respond(coffer::ResponseCode code,
                                         const std::vector<coffer::ByteView>& fields = {});
