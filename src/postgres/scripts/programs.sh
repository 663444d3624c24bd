# The server's own programs: Debian has wrappers of them on the path, in Perl, which take four times as long.
server=$(command -v postgres) && PATH=${server%/*}:$PATH
