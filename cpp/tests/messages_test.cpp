#include <algorithm>

#include <doctest/doctest.h>

#include "coffer/error.hpp"
#include "messages.hpp"
#include "vectors.hpp"

using namespace coffer;

namespace {

ClientId vectorClient() {
    ClientId id{};
    const Bytes bytes = Vectors::bytes("client_id");
    std::copy(bytes.begin(), bytes.end(), id.begin());
    return id;
}

Response decodeMessage(const Bytes& message) {
    const ByteView all(message);
    const ResponseHeader header = decodeResponseHeader(all.first(responseHeaderSize));
    REQUIRE(header.payloadSize == all.size() - responseHeaderSize);
    return decodeResponse(header.code, all.from(responseHeaderSize));
}

template <typename T> T decodeVector(const std::string& what) {
    CAPTURE(what);
    const Response response = decodeMessage(Vectors::bytes("message", what));
    REQUIRE(std::holds_alternative<T>(response));
    return std::get<T>(response);
}

std::string request(RequestCode code, const char* name, const ClientId& client = vectorClient()) {
    return toHex(encodeRequest(client, code, nameField(name)));
}

} // namespace

TEST_CASE("messages: requests are the vectors' bytes") {
    constexpr auto file = "report 2026.pdf";
    CHECK(request(RequestCode::registerName, "john_doe", {}) ==
          Vectors::value("message", "1025_register_john_doe"));
    CHECK(request(RequestCode::reconnect, "john_doe") ==
          Vectors::value("message", "1027_reconnect"));
    CHECK(request(RequestCode::matches, file) ==
          Vectors::value("message", "1029_checksum_matches"));
    CHECK(request(RequestCode::differs, file) ==
          Vectors::value("message", "1030_checksum_differs,_again"));
    CHECK(request(RequestCode::givesUp, file) ==
          Vectors::value("message", "1031_checksum_differs,_giving_up"));
    for (const auto* key : {"rsa1024_e65537", "rsa1024_e17"}) {
        const Bytes der = Vectors::bytes("public_key", key);
        CHECK(toHex(encodePublicKey(vectorClient(), nameField("john_doe"), der)) ==
              Vectors::value("message",
                             "1026_send_public_key,_" + std::to_string(der.size()) + "_bytes"));
    }
}

TEST_CASE("messages: packets are the vectors' bytes") {
    struct Case {
        const char* what;
        FilePacket packet;
    };
    for (const Case& c :
         {Case{"1028_packet_1_of_2,_20_of_48_bytes_of_ciphertext", {20, 40, 1, 2, {}}},
          Case{"1028_packet_2_of_2,_28_of_48_bytes_of_ciphertext", {28, 40, 2, 2, {}}}}) {
        CAPTURE(c.what);
        FilePacket packet = c.packet;
        packet.filename = nameField("report 2026.pdf");
        const std::string head = toHex(encodePacketHead(vectorClient(), packet));
        const std::string want = Vectors::value("message", c.what);
        CHECK(head == want.substr(0, head.size()));
        CHECK(want.size() - head.size() == 2 * packet.contentSize);
    }
}

TEST_CASE("messages: responses are read as the vectors mean them") {
    CHECK(decodeVector<Registered>("1600_registered").client == vectorClient());
    static_cast<void>(decodeVector<NameRefused>("1601_register_refused"));
    for (const auto* what : {"1602_session_key", "1605_reconnected"}) {
        const auto issued = decodeVector<SessionKeyIssued>(what);
        CHECK(issued.client == vectorClient());
        CHECK(issued.wrapped.size() == 128);
    }
    const auto received = decodeVector<FileReceived>("1603_file_received");
    CHECK(received.client == vectorClient());
    CHECK(received.ciphertextSize == 48);
    CHECK(received.filename == nameField("report 2026.pdf"));
    CHECK(std::to_string(received.cksum) == Vectors::value("upload_cksum"));
    CHECK(decodeVector<Acknowledged>("1604_acknowledged").client == vectorClient());
    static_cast<void>(decodeVector<ReconnectDenied>("1606_reconnect_denied"));
    static_cast<void>(decodeVector<CannotServe>("1607_error"));
}

TEST_CASE("messages: headers that no base response has are refused") {
    for (const auto* header : {
             "",
             "034006100000",   // cut off
             "02400610000000", // version 2
             "03480600000000", // 1608
             "03400600000000", // 1600 without an id
             "03410601000000", // 1601 with something
             "034206100000ff", // a wrapped key of 4 GiB
             "03420610000000", // no wrapped key
             "034306ffffffff", // 1603 of 4 GiB
         }) {
        CAPTURE(header);
        CHECK_THROWS_AS(static_cast<void>(decodeResponseHeader(fromHex(header))), ProtocolError);
    }
}

TEST_CASE("messages: payloads that are not their header's are refused") {
    for (const std::size_t size : {0U, 15U, 17U, 278U, 280U}) {
        CAPTURE(size);
        const Bytes payload(size);
        CHECK_THROWS_AS(static_cast<void>(decodeResponse(ResponseCode::registered, payload)),
                        ProtocolError);
        CHECK_THROWS_AS(static_cast<void>(decodeResponse(ResponseCode::fileReceived, payload)),
                        ProtocolError);
    }
}

TEST_CASE("messages: names that no field holds are refused") {
    CHECK(nameField(std::string(254, 'x'))[254] == 0);
    CHECK_THROWS_AS(static_cast<void>(nameField("")), FileError);
    CHECK_THROWS_AS(static_cast<void>(nameField(std::string(255, 'x'))), FileError);
    CHECK_THROWS_AS(static_cast<void>(nameField(std::string_view("a\0b", 3))), FileError);
}
