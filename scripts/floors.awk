# Prints every path in the core's code (see code-only.awk) that its module must not name: a later module, or the outside
# world. The variable `order` lists the modules, lowest first, a rank a line.

BEGIN {
  rows = split(order, row, "\n")
  for (r = 1; r <= rows; r++) {
    count = split(row[r], name, " ")
    for (k = 1; k <= count; k++) rank[name[k]] = r
  }
  split("fs env thread net process os io::stdin io::stdout io::stderr time::Instant time::SystemTime collections::hash_map::RandomState", outside, " ")
}

FNR == 1 { finish(); begin(FILENAME) }
{ gather($0, FNR) }
END { finish() }

# core/src/search/kind/date.rs is search::kind::date; core/src/search/mod.rs is search.
function begin(path) {
  file = path
  module = path
  sub(/^core\/src\//, "", module)
  sub(/\.rs$/, "", module)
  sub(/(^|\/)mod$/, "", module)
  gsub(/\//, "::", module)
  root = module == "lib"
  if (!root && !place(module)) complain(1, module, "this module has no place in scripts/floors")
  statement = ""
  brackets = 0
}

function finish() {
  if (file != "" && statement != "") judge(statement, since)
}

# Statements end at ; or at a brace that opens a body; a `use` keeps its braces. An attribute is a statement of its own.
function gather(text, number,    i, c) {
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (statement == "" && c ~ /[ \t]/) continue
    if (statement == "") since = number
    if (c == ";" || (c ~ /[{}]/ && statement !~ /^(pub(\([^)]*\))?[ \t]+)?use[ \t]/)) {
      judge(statement, since)
      statement = ""
      brackets = 0
      continue
    }
    statement = statement c
    if (statement !~ /^#/) continue
    if (c == "[") brackets++
    if (c == "]" && --brackets == 0) { judge(statement, since); statement = "" }
  }
  if (statement != "") statement = statement " "
}

function judge(text, number,    plain, paths, i, n, path) {
  if (text ~ /^(pub(\([^)]*\))?[ \t]+)?use[ \t]/) {
    sub(/^(pub(\([^)]*\))?[ \t]+)?use[ \t]+/, "", text)
    sub(/[ \t]as[ \t]+[A-Za-z_0-9]+[ \t]*$/, "", text)
    gsub(/[ \t]as[ \t]+[A-Za-z_0-9]+/, "", text)
    gsub(/[ \t]/, "", text)
    n = spread("", text, paths, 0)
    for (i = 1; i <= n; i++) check(paths[i], number)
    return
  }
  plain = text
  while (match(plain, /(^|[^A-Za-z0-9_:])(::)?(crate|self|super|std|core|alloc)([ \t]*::[ \t]*[A-Za-z_][A-Za-z0-9_]*)+/)) {
    path = substr(plain, RSTART, RLENGTH)
    plain = substr(plain, RSTART + RLENGTH)
    gsub(/[^A-Za-z0-9_:]/, "", path)
    sub(/^::/, "", path)
    check(path, number)
  }
}

# a::{b, c::{d, e}} to a::b, a::c::d, a::c::e, appended to `paths`; returns how many there are.
function spread(prefix, text, paths, n,    i, c, depth, part, open) {
  open = index(text, "{")
  if (!open) { paths[++n] = prefix text; return n }
  depth = 0
  part = ""
  for (i = open + 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if ((c == "," && depth == 0) || (c == "}" && depth == 0)) {
      if (part != "") n = spread(prefix substr(text, 1, open - 1), part, paths, n)
      part = ""
      if (c == "}") break
      continue
    }
    if (c == "{") depth++
    if (c == "}") depth--
    part = part c
  }
  return n
}

function complain(number, path, why) { printf "%s:%d: %s (%s)\n", file, number, path, why }

function check(path, number,    i, own, theirs, base, part, n) {
  for (i in outside)
    if (path ~ "^(std|core)::" outside[i] "(::|$)") complain(number, path, "the core does not touch the outside")
  if (root || path !~ /^(crate|super)(::|$)/) return
  if (path ~ /^super/) {
    # Up from here; a `super` that leaves the top module reaches the crate's root.
    base = module
    while (path ~ /^super(::|$)/) {
      sub(/^super(::)?/, "", path)
      if (!sub(/::[^:]*$/, "", base)) base = ""
    }
    path = (base == "" ? "" : base "::") path
  } else sub(/^crate(::)?/, "", path)
  own = place(module)
  theirs = place(path)
  if (own == 0) return # said already
  if (theirs == 0) complain(number, "crate::" path, "name the module it lives in, or give that a place in scripts/floors")
  else if (theirs > own) complain(number, "crate::" path, "it stands above " module)
}

# The rank of the longest listed prefix; 0 when there is none.
function place(path,    prefix) {
  prefix = path
  while (prefix != "") {
    if (prefix in rank) return rank[prefix]
    if (!sub(/::[^:]*$/, "", prefix)) return 0
  }
  return 0
}
