// Whatever a server sends is either a response or a ProtocolError: never another
// error, and never more memory than its code may have. What is read as a response
// writes as the same bytes.

#include <cstdlib>

#include "coffer/error.hpp"
#include "messages.hpp"
#include "wire.hpp"

using namespace coffer;

namespace {

Bytes encode(const ResponseHeader& header, const Response& response) {
    Writer out(responseHeaderSize + header.payloadSize);
    out.u8(protocolVersion);
    out.u16(static_cast<std::uint16_t>(header.code));
    out.u32(header.payloadSize);
    if (const auto* registered = std::get_if<Registered>(&response)) {
        out.bytes(registered->client);
    } else if (const auto* issued = std::get_if<SessionKeyIssued>(&response)) {
        out.bytes(issued->client);
        out.bytes(issued->wrapped);
    } else if (const auto* received = std::get_if<FileReceived>(&response)) {
        out.bytes(received->client);
        out.u32(received->ciphertextSize);
        out.bytes(received->filename);
        out.u32(received->cksum);
    } else if (const auto* done = std::get_if<Acknowledged>(&response)) {
        out.bytes(done->client);
    } else if (const auto* denied = std::get_if<ReconnectDenied>(&response)) {
        out.bytes(denied->client);
    }
    return out.take();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView all(data, size);
    try {
        const ResponseHeader header =
            decodeResponseHeader(all.first(std::min(size, responseHeaderSize)));
        constexpr std::uint32_t mostOfAnyCode = 16 + 2048;
        if (header.payloadSize > mostOfAnyCode) {
            std::abort();
        }
        const ByteView payload = all.from(responseHeaderSize);
        const Response response = decodeResponse(header.code, payload);
        if (payload.size() != header.payloadSize) {
            return 0; // the connection reads exactly as much as the header says
        }
        const Bytes again = encode(header, response);
        if (!std::equal(all.begin(), all.end(), again.begin(), again.end())) {
            std::abort();
        }
    } catch (const ProtocolError&) {
        return 0;
    }
    return 0;
}
