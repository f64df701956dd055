#include "coffer/client.hpp"

#include <utility>

#include "coffer/error.hpp"
#include "connection.hpp"
#include "encrypted_file.hpp"
#include "messages.hpp"
#include "packet_reader.hpp"

namespace coffer {
namespace {

/// Content of a packet: small enough to stay in a core's cache from reading to
/// sending, and large enough for the largest file in 65,535 packets.
constexpr std::size_t packetSize = 256U << 10U;
static_assert(packetSize % FileCipher::blockSize == 0);
static_assert(FileCipher::ciphertextSize(EncryptedFile::maxSize) / packetSize < 65535);

Response readResponse(Connection& connection, Connection::Limit limit) {
    const Bytes bytes = connection.read(responseHeaderSize, limit);
    const ResponseHeader header = decodeResponseHeader(bytes);
    return decodeResponse(header.code, connection.read(header.payloadSize, limit));
}

/// The response as the one that was asked for; what refuses becomes an error.
template <typename Expected> Expected expect(Response response, std::string_view request) {
    if (auto* expected = std::get_if<Expected>(&response)) {
        return std::move(*expected);
    }
    if (std::holds_alternative<CannotServe>(response)) {
        throw RefusedError("the server refused (1607) " + std::string(request));
    }
    if (std::holds_alternative<NameRefused>(response)) {
        throw NameRefusedError("the server refused (1601) the name: taken, or not acceptable");
    }
    if (std::holds_alternative<ReconnectDenied>(response)) {
        throw ReconnectDeniedError("the server does not know this client (1606)");
    }
    throw ProtocolError("the server answered with something else to " + std::string(request));
}

void checkClient(const ClientId& answered, const ClientId& own) {
    if (answered != own) {
        throw ProtocolError("the server's answer is for another client");
    }
}

} // namespace

Client::Client(const Endpoint& server, const Limits& limits)
    : connection_(std::make_unique<Connection>(server, limits.connect)), limits_(limits) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

ClientId Client::registerName(std::string_view name) {
    const ClientId none{};
    connection_->write(encodeRequest(none, RequestCode::registerName, nameField(name)), {},
                       limits_.answer);
    return expect<Registered>(readResponse(*connection_, limits_.answer), "the registration")
        .client;
}

void Client::exchangeKeys(const Identity& identity) {
    connection_->write(
        encodePublicKey(identity.client, nameField(identity.name), identity.key.publicDer()), {},
        limits_.answer);
    takeSessionKey(identity, "the public key");
}

void Client::reconnect(const Identity& identity) {
    connection_->write(
        encodeRequest(identity.client, RequestCode::reconnect, nameField(identity.name)), {},
        limits_.answer);
    takeSessionKey(identity, "to reconnect");
}

void Client::takeSessionKey(const Identity& identity, std::string_view request) {
    const auto issued =
        expect<SessionKeyIssued>(readResponse(*connection_, limits_.answer), request);
    checkClient(issued.client, identity.client);
    sessionKey_ = identity.key.unwrap(issued.wrapped);
    client_ = identity.client;
}

Transfer Client::send(const std::filesystem::path& path, std::string_view name,
                      const SendProgress& progress) {
    if (!sessionKey_) {
        throw std::logic_error("a file is sent after exchangeKeys or reconnect");
    }
    FilePacket packet{};
    packet.filename = nameField(name);
    EncryptedFile file(path, *sessionKey_);
    packet.originalSize = file.size();
    packet.total =
        static_cast<std::uint16_t>((file.ciphertextSize() + packetSize - 1) / packetSize);

    PacketReader packets(file, packetSize);
    std::uint64_t sent = 0;
    while (packet.number < packet.total) {
        // The server answers before the end only to refuse: no use in going on.
        if (connection_->hasInput()) {
            break;
        }
        ++packet.number;
        const Bytes& content = packets.next();
        packet.contentSize = static_cast<std::uint32_t>(content.size());
        connection_->write(encodePacketHead(client_, packet), content, limits_.answer);
        sent += content.size();
        if (progress) {
            progress(sent, file.ciphertextSize());
        }
    }
    const auto received =
        expect<FileReceived>(readResponse(*connection_, limits_.commit), "the file");
    checkClient(received.client, client_);
    const bool sentAll = sent == file.ciphertextSize();
    if (!sentAll || received.ciphertextSize != file.ciphertextSize() ||
        received.filename != packet.filename) {
        throw ProtocolError("the server's checksum is of another file");
    }
    return {file.size(), file.cksum(), received.cksum};
}

void Client::confirm(std::string_view name) {
    connection_->write(encodeRequest(client_, RequestCode::matches, nameField(name)), {},
                       limits_.answer);
    const auto done =
        expect<Acknowledged>(readResponse(*connection_, limits_.commit), "to commit the file");
    checkClient(done.client, client_);
}

void Client::announceRetry(std::string_view name) {
    connection_->write(encodeRequest(client_, RequestCode::differs, nameField(name)), {},
                       limits_.answer);
}

void Client::giveUp(std::string_view name) {
    connection_->write(encodeRequest(client_, RequestCode::givesUp, nameField(name)), {},
                       limits_.answer);
    const auto done =
        expect<Acknowledged>(readResponse(*connection_, limits_.answer), "to give up the file");
    checkClient(done.client, client_);
}

} // namespace coffer
