#!/usr/bin/env bash
# Backs a file up over HTTP, as any script can: curl, jq, openssl and cksum.
#
#   COFFER_URL=http://127.0.0.1:5000 backup.sh ACCOUNT FILE [NAME]
#
# ACCOUNT is a folder that is made at the first use: it holds the account's
# name, its client id and its private key. Keep it: without the key, nobody can
# decrypt what was backed up, and without the id, nobody can fetch it.
# COFFER_PACKET is the size of a packet in bytes, COFFER_USER a name for a new
# account.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

account=${1:?ACCOUNT FILE [NAME]}
file=${2:?ACCOUNT FILE [NAME]}
name=${3:-$(basename "$file")}
packet=${COFFER_PACKET:-4194304}
text "$name" "${COFFER_USER:-}"
[ -r "$file" ] || die "there is no file $file that can be read"

if [ ! -e "$account/client_id" ]; then
	mkdir -p "$account"
	[ -e "$account/key.pem" ] || openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$account/key.pem"
	user=${COFFER_USER:-$(hostname)-$(openssl rand -hex 4)}
	call POST /auth/register "$(jq -n --arg u "$user" '{username: $u, client_type: "api_client"}')" | jq -r .client_id >"$account/new"
	echo "$user" >"$account/username"
	mv "$account/new" "$account/client_id"
fi
sign_in "$account"

# The public key, so that the server can wrap session keys with it.
call POST /keys/public "$(jq -n --arg d "$(public_key "$account" | openssl base64 -A)" '{public_key_der: $d}')" >"$work/key"

# An upload with a session key of its own.
call POST /uploads "$(jq -n --arg f "$name" '{filename: $f}')" >"$work/begun"
upload=$(jq -r .upload_id "$work/begun")
key=$(jq -r .aes_key_encrypted "$work/begun" | unwrap "$account")
aes "$key" -in "$file" -out "$work/ciphertext"

# Packets, cut anywhere; the last one says that it is. One that is sent twice
# does no harm.
size=$(wc -c <"$work/ciphertext")
total=$(((size + packet - 1) / packet))
for ((n = 1; n <= total; n++)); do
	last=false
	[ "$n" -lt "$total" ] || last=true
	dd if="$work/ciphertext" of="$work/packet" bs="$packet" skip=$((n - 1)) count=1 status=none
	ask PUT "/uploads/$upload/packets/$n?last=$last" -H 'Content-Type: application/octet-stream' -T "$work/packet"
done

# The file is kept once the checksums agree.
call POST "/uploads/$upload/verify" "$(jq -n --arg c "$(checksum "$file")" '{client_crc: $c}')" >"$work/verified"
[ "$(jq -r .verified "$work/verified")" = true ] || die "the checksums differ: did $file change? run it again"
call POST /auth/logout
echo "backed up $name, $total packets, version $(jq -r .version "$work/verified")"
