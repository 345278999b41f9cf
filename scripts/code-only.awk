# Prints Rust source with comments, the contents of literals and #[cfg(test)] items blanked; lines keep their numbers.
# With -v tests=1 the #[cfg(test)] items stay.

function emit(c) { out = out c }

# Reads `text` from `i` in the state left by the line before: code, block comment, string, raw string.
function scan(text,    i, c, n, rest) {
  n = length(text)
  out = ""
  for (i = 1; i <= n; i++) {
    c = substr(text, i, 1)
    if (state == "comment") {
      if (c == "*" && substr(text, i + 1, 1) == "/") { i++; if (--nested == 0) state = "code" }
      else if (c == "/" && substr(text, i + 1, 1) == "*") { i++; nested++ }
    } else if (state == "string") {
      if (c == "\\") i++
      else if (c == "\"") { emit("\""); state = "code" }
    } else if (state == "raw") {
      if (c == "\"" && substr(text, i + 1, length(hashes)) == hashes) { i += length(hashes); emit("\""); state = "code" }
    } else if (c == "/" && substr(text, i + 1, 1) == "/") {
      break
    } else if (c == "/" && substr(text, i + 1, 1) == "*") {
      i++; nested = 1; state = "comment"
    } else if (c == "\"") {
      emit(c); state = "string"
    } else if (c == "r" && out !~ /[A-Za-z0-9_]$/ || (c == "r" && out ~ /(^|[^A-Za-z0-9_])[bc]$/)) {
      rest = substr(text, i)
      if (match(rest, /^r#*"/)) { hashes = substr(rest, 2, RLENGTH - 2); i += RLENGTH - 1; emit("\""); state = "raw" }
      else emit(c)
    } else if (c == "'") {
      rest = substr(text, i)
      # A character, not a lifetime.
      if (match(rest, /^'(\\u\{[0-9a-fA-F_]*\}|\\x..|\\.|[^\\'])'/)) { emit("' '"); i += RLENGTH - 1 }
      else if (match(rest, /^'[^A-Za-z_ ][^']*'/)) { emit("' '"); i += RLENGTH - 1 } # more than one byte long
      else emit(c)
    } else emit(c)
  }
  return out
}

# Blanks an item that stands behind #[cfg(test)]: up to its closing brace, or its semicolon when it has no braces.
function blank(text,    i, c, kept) {
  kept = ""
  for (i = 1; i <= length(text); i++) {
    if (!hidden && match(substr(text, i), /^#\[cfg\(test\)\]/)) { hidden = 1; depth = 0; i += RLENGTH - 1; continue }
    c = substr(text, i, 1)
    if (!hidden) { kept = kept c; continue }
    if (c ~ /[{(\[]/) depth++
    else if (c ~ /[})\]]/) { depth--; if (c == "}" && depth == 0) hidden = 0 }
    else if (c == ";" && depth == 0) hidden = 0
  }
  return kept
}

BEGIN { state = "code" }
{
  line = scan($0)
  print tests ? line : blank(line)
}
