#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "coffer/bytes.hpp"
#include "coffer/client_id.hpp"

/// The base messages of docs/protocol.md, sections "Framing" and "Base
/// requests". Integers are little-endian.

namespace coffer {

constexpr std::uint8_t protocolVersion = 3;

enum class RequestCode : std::uint16_t {
    registerName = 1025,  // name[255]
    sendPublicKey = 1026, // name[255], RSA key as DER SubjectPublicKeyInfo
    reconnect = 1027,     // name[255]
    filePacket = 1028,    // FilePacket
    matches = 1029,       // filename[255]
    differs = 1030,       // filename[255]: the checksum differs, will send again
    givesUp = 1031,       // filename[255]: the checksum differs, giving up
};

enum class ResponseCode : std::uint16_t {
    registered = 1600,      // client id[16]
    nameRefused = 1601,     // empty
    sessionKey = 1602,      // client id[16], RSA-OAEP(session key)
    fileReceived = 1603,    // FileReceived
    acknowledged = 1604,    // client id[16]
    reconnected = 1605,     // client id[16], RSA-OAEP(new session key)
    reconnectDenied = 1606, // client id[16] as it came
    cannotServe = 1607,     // empty
};

/// A name or filename as it travels: 1 to 254 bytes of UTF-8, then a NUL, the
/// rest zeros.
using NameField = std::array<std::uint8_t, 255>;

/// Throws FileError for text that no field can carry.
[[nodiscard]] NameField nameField(std::string_view text);

// Requests. Each has the header in front: client id[16], version u8, code u16,
// payload size u32.

constexpr std::size_t requestHeaderSize = 23;

/// A request of a name alone: all but 1026 and 1028.
[[nodiscard]] Bytes encodeRequest(const ClientId& client, RequestCode code, const NameField& name);

/// 1026.
[[nodiscard]] Bytes encodePublicKey(const ClientId& client, const NameField& name, ByteView der);

/// 1028: content size u32, original size u32, packet number u16, total packets
/// u16, filename[255], content.
struct FilePacket {
    std::uint32_t contentSize;  // of this packet
    std::uint32_t originalSize; // of the whole plaintext
    std::uint16_t number;       // from 1
    std::uint16_t total;
    NameField filename;
};

/// All of a packet but its content, which follows.
[[nodiscard]] Bytes encodePacketHead(const ClientId& client, const FilePacket& packet);

// Responses.

constexpr std::size_t responseHeaderSize = 7;

/// version u8, code u16, payload size u32.
struct ResponseHeader {
    ResponseCode code;
    std::uint32_t payloadSize;
};

struct Registered {
    ClientId client;
};
struct NameRefused {};
struct SessionKeyIssued { // 1602 and 1605
    ClientId client;
    Bytes wrapped;
};
/// 1603: client id[16], content size u32, filename[255] as it came, cksum u32.
struct FileReceived {
    ClientId client;
    std::uint32_t ciphertextSize;
    NameField filename;
    std::uint32_t cksum; // of the plaintext
};
struct Acknowledged {
    ClientId client;
};
struct ReconnectDenied {
    ClientId client; // as it came
};
struct CannotServe {};

using Response = std::variant<Registered, NameRefused, SessionKeyIssued, FileReceived, Acknowledged,
                              ReconnectDenied, CannotServe>;

/// Throws ProtocolError for a header that no base response has: after it, the
/// payload's size is one that its code may have.
[[nodiscard]] ResponseHeader decodeResponseHeader(ByteView header);

/// Throws ProtocolError.
[[nodiscard]] Response decodeResponse(ResponseCode code, ByteView payload);

} // namespace coffer
