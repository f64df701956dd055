#include "messages.hpp"

#include <algorithm>
#include <string>

#include "coffer/error.hpp"
#include "wire.hpp"

namespace coffer {
namespace {

constexpr std::size_t maxWrappedKey = 2048; // of an RSA key of 16,384 bits

void writeHeader(Writer& out, const ClientId& client, RequestCode code, std::size_t payloadSize) {
    out.bytes(client);
    out.u8(protocolVersion);
    out.u16(static_cast<std::uint16_t>(code));
    out.u32(static_cast<std::uint32_t>(payloadSize));
}

struct PayloadSizes {
    std::size_t least;
    std::size_t most;
};

PayloadSizes payloadSizes(ResponseCode code) {
    constexpr std::size_t id = std::tuple_size_v<ClientId>;
    constexpr std::size_t received = id + 4 + std::tuple_size_v<NameField> + 4;
    switch (code) {
    case ResponseCode::registered:
    case ResponseCode::acknowledged:
    case ResponseCode::reconnectDenied:
        return {id, id};
    case ResponseCode::sessionKey:
    case ResponseCode::reconnected:
        return {id + 1, id + maxWrappedKey};
    case ResponseCode::fileReceived:
        return {received, received};
    case ResponseCode::nameRefused:
    case ResponseCode::cannotServe:
        return {0, 0};
    }
    throw ProtocolError("the server answered with code " +
                        std::to_string(static_cast<unsigned>(code)) +
                        ", which is none of the base protocol's");
}

} // namespace

NameField nameField(std::string_view text) {
    NameField field{};
    if (text.empty() || text.size() >= field.size()) {
        throw FileError("a name has 1 to 254 bytes of UTF-8, not " + std::to_string(text.size()));
    }
    if (text.find('\0') != std::string_view::npos) {
        throw FileError("a name has no zero bytes");
    }
    std::copy(text.begin(), text.end(), field.begin());
    return field;
}

Bytes encodeRequest(const ClientId& client, RequestCode code, const NameField& name) {
    Writer out(requestHeaderSize + name.size());
    writeHeader(out, client, code, name.size());
    out.bytes(name);
    return out.take();
}

Bytes encodePublicKey(const ClientId& client, const NameField& name, ByteView der) {
    const std::size_t payloadSize = name.size() + der.size();
    Writer out(requestHeaderSize + payloadSize);
    writeHeader(out, client, RequestCode::sendPublicKey, payloadSize);
    out.bytes(name);
    out.bytes(der);
    return out.take();
}

Bytes encodePacketHead(const ClientId& client, const FilePacket& packet) {
    const std::size_t fields = 4 + 4 + 2 + 2 + packet.filename.size();
    Writer out(requestHeaderSize + fields);
    writeHeader(out, client, RequestCode::filePacket, fields + packet.contentSize);
    out.u32(packet.contentSize);
    out.u32(packet.originalSize);
    out.u16(packet.number);
    out.u16(packet.total);
    out.bytes(packet.filename);
    return out.take();
}

ResponseHeader decodeResponseHeader(ByteView header) {
    Reader in(header);
    const std::uint8_t version = in.u8();
    const auto code = static_cast<ResponseCode>(in.u16());
    const std::uint32_t payloadSize = in.u32();
    if (!in.complete()) {
        throw ProtocolError("the server's answer has an incomplete header");
    }
    if (version != protocolVersion) {
        throw ProtocolError("the server speaks version " + std::to_string(version) +
                            " of the protocol, not 3");
    }
    const PayloadSizes sizes = payloadSizes(code);
    if (payloadSize < sizes.least || payloadSize > sizes.most) {
        throw ProtocolError("the server's answer " + std::to_string(static_cast<unsigned>(code)) +
                            " has a payload of " + std::to_string(payloadSize) + " bytes");
    }
    return {code, payloadSize};
}

Response decodeResponse(ResponseCode code, ByteView payload) {
    Reader in(payload);
    Response response = CannotServe{};
    switch (code) {
    case ResponseCode::registered:
        response = Registered{in.array<16>()};
        break;
    case ResponseCode::nameRefused:
        response = NameRefused{};
        break;
    case ResponseCode::sessionKey:
    case ResponseCode::reconnected: {
        const auto client = in.array<16>();
        response = SessionKeyIssued{client, in.rest()};
        break;
    }
    case ResponseCode::fileReceived: {
        FileReceived received{};
        received.client = in.array<16>();
        received.ciphertextSize = in.u32();
        received.filename = in.array<std::tuple_size_v<NameField>>();
        received.cksum = in.u32();
        response = received;
        break;
    }
    case ResponseCode::acknowledged:
        response = Acknowledged{in.array<16>()};
        break;
    case ResponseCode::reconnectDenied:
        response = ReconnectDenied{in.array<16>()};
        break;
    case ResponseCode::cannotServe:
        break;
    }
    if (!in.complete()) {
        throw ProtocolError("the server's answer " + std::to_string(static_cast<unsigned>(code)) +
                            " is not as long as its fields");
    }
    return response;
}

} // namespace coffer
