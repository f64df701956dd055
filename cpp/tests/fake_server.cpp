#include "fake_server.hpp"

#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "wire.hpp"

struct FakeServer::Connection {
    explicit Connection(asio::ip::tcp::socket&& s) : socket(std::move(s)) {}

    asio::ip::tcp::socket socket;
    coffer::Bytes header;
    Request request{};
};

FakeServer::FakeServer(Script script)
    : script_(std::move(script)),
      acceptor_(io_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
}

FakeServer::~FakeServer() {
    io_.stop();
    thread_.join();
}

coffer::Endpoint FakeServer::endpoint() const {
    return {"127.0.0.1", acceptor_.local_endpoint().port()};
}

std::vector<unsigned> FakeServer::codes() const {
    const std::lock_guard lock(mutex_);
    return codes_;
}

void FakeServer::accept() {
    acceptor_.async_accept([this](const std::error_code& error, asio::ip::tcp::socket socket) {
        if (!error) {
            const auto connection = std::make_shared<Connection>(std::move(socket));
            connection->request.connection = connections_++;
            readHeader(connection);
            accept();
        }
    });
}

void FakeServer::readHeader(const std::shared_ptr<Connection>& connection) {
    connection->header.resize(coffer::requestHeaderSize);
    asio::async_read(connection->socket, asio::buffer(connection->header),
                     [this, connection](const std::error_code& error, std::size_t) {
                         if (!error) {
                             readPayload(connection);
                         }
                     });
}

void FakeServer::readPayload(const std::shared_ptr<Connection>& connection) {
    Request& request = connection->request;
    coffer::Reader in(connection->header);
    request.client = in.array<16>();
    static_cast<void>(in.u8());
    request.code = static_cast<coffer::RequestCode>(in.u16());
    request.payload.resize(in.u32());
    asio::async_read(connection->socket, asio::buffer(request.payload),
                     [this, connection](const std::error_code& error, std::size_t) {
                         if (!error) {
                             answer(connection);
                         }
                     });
}

void FakeServer::answer(const std::shared_ptr<Connection>& connection) {
    const Request& request = connection->request;
    constexpr std::size_t packetNumber = 8;
    const bool isLaterPacket =
        request.code == coffer::RequestCode::filePacket && request.payload[packetNumber] != 1;
    if (!isLaterPacket) {
        const std::lock_guard lock(mutex_);
        codes_.push_back(static_cast<unsigned>(request.code));
    }
    const Answer answer = script_(request);
    std::error_code error;
    asio::write(connection->socket, asio::buffer(answer.bytes), error);
    if (!error && !answer.closeAfterwards) {
        readHeader(connection);
    }
}

FakeServer::Answer respond(coffer::ResponseCode code, const std::vector<coffer::ByteView>& fields) {
    std::size_t size = 0;
    for (const auto field : fields) {
        size += field.size();
    }
    coffer::Writer out(coffer::responseHeaderSize + size);
    out.u8(coffer::protocolVersion);
    out.u16(static_cast<std::uint16_t>(code));
    out.u32(static_cast<std::uint32_t>(size));
    for (const auto field : fields) {
        out.bytes(field);
    }
    return {out.take()};
}
