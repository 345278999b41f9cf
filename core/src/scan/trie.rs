//! The names that a walk looks at, as a trie: which members to enter, which to capture.

use super::slots::SlotId;

/// Index of a node in its trie.
pub type NodeId = u32;

/// Most members that one node may watch; the duplicate test keeps one bit for each.
pub const MAX_CHILDREN: usize = 128;

/// A trie of member names. Node 0 is the root object of a line.
#[derive(Clone, Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    slots: SlotId,
    /// Children of the root, one bit each, whose end nobody waits for.
    quiet: u128,
}

/// One object, or each item of an array of objects, at one path.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Where the values at this path go.
    pub slot: Option<SlotId>,
    /// Bit `n % 64` is set if a child's name has `n` bytes: most names of a line are turned away by this one test.
    lengths: u64,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Edge {
    /// First eight bytes of the name, zero-filled: most comparisons are one of words.
    word: u64,
    name: Box<[u8]>,
    node: NodeId,
}

impl Default for Trie {
    fn default() -> Self {
        Trie {
            nodes: vec![Node::default()],
            slots: 0,
            quiet: 0,
        }
    }
}

impl Trie {
    /// Adds a path below `from` and returns its last node. Paths that are there already are shared.
    pub fn insert<S: AsRef<str>>(&mut self, from: NodeId, names: &[S]) -> NodeId {
        names
            .iter()
            .fold(from, |node, name| self.child_or_new(node, name.as_ref()))
    }

    fn child_or_new(&mut self, node: NodeId, name: &str) -> NodeId {
        let bytes = name.as_bytes();
        if let Some(edge) = self.nodes[node as usize].edges.iter().find(|edge| *edge.name == *bytes) {
            return edge.node;
        }
        let new = self.nodes.len() as NodeId;
        self.nodes.push(Node::default());
        let parent = &mut self.nodes[node as usize];
        parent.lengths |= 1 << (bytes.len() % 64);
        parent.edges.push(Edge {
            word: first_word(bytes),
            name: bytes.into(),
            node: new,
        });
        new
    }

    /// Asks for the values at a node and returns their slot.
    pub fn capture(&mut self, node: NodeId) -> SlotId {
        let entry = &mut self.nodes[node as usize];
        *entry.slot.get_or_insert_with(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        usize::from(self.slots)
    }

    /// The node itself.
    #[inline]
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }

    /// Which child of the root leads to `names[0]`, as its index among the root's children.
    pub fn root_child(&self, name: &str) -> Option<usize> {
        self.nodes[0]
            .edges
            .iter()
            .position(|edge| *edge.name == *name.as_bytes())
    }

    /// A watcher does not wait for the end of this child of the root, and is not told of it.
    pub fn hush(&mut self, child: usize) {
        self.quiet |= 1 << (child & 127);
    }

    /// Whether a watcher is told when this child of the root has ended.
    #[inline]
    pub fn tells(&self, child: usize) -> bool {
        self.quiet >> (child & 127) & 1 == 0
    }

    /// The most children that any node has; a plan refuses more than [`MAX_CHILDREN`].
    pub fn widest(&self) -> usize {
        self.nodes.iter().map(|node| node.edges.len()).max().unwrap_or(0)
    }

    /// Every watched path, dotted, in order of insertion; captured ones end in `*`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect(0, "", &mut out);
        out
    }

    fn collect(&self, node: NodeId, prefix: &str, out: &mut Vec<String>) {
        for edge in &self.nodes[node as usize].edges {
            let path = format!("{prefix}{}", String::from_utf8_lossy(&edge.name));
            let child = &self.nodes[edge.node as usize];
            out.push(if child.slot.is_some() {
                format!("{path}*")
            } else {
                path.clone()
            });
            self.collect(edge.node, &format!("{path}."), out);
        }
    }
}

impl Node {
    /// Whether the walk has to look at the members of objects here.
    #[inline]
    pub fn has_children(&self) -> bool {
        !self.edges.is_empty()
    }

    /// The names of the members that the node watches, in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.edges.iter().map(|edge| &*edge.name)
    }

    /// How many members the node watches.
    pub fn children(&self) -> usize {
        self.edges.len()
    }

    /// Finds the child for the name `bytes[start..end]`: its index here, for the duplicate test, and its node.
    #[inline]
    pub fn find(&self, bytes: &[u8], start: usize, end: usize) -> Option<(usize, NodeId)> {
        let len = end - start;
        if self.lengths >> (len % 64) & 1 == 0 {
            return None;
        }
        self.find_by_word(bytes, start, end)
    }

    #[inline]
    fn find_by_word(&self, bytes: &[u8], start: usize, end: usize) -> Option<(usize, NodeId)> {
        let name = &bytes[start..end];
        let word = match bytes.get(start..start + 8) {
            Some(chunk) => {
                let word = u64::from_le_bytes([
                    chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
                ]);
                if name.len() >= 8 {
                    word
                } else {
                    word & !(u64::MAX << (8 * name.len()))
                }
            }
            None => first_word(name),
        };
        for (index, edge) in self.edges.iter().enumerate() {
            if edge.word == word && *edge.name == *name {
                return Some((index, edge.node));
            }
        }
        None
    }

    /// Finds the child for a name that had escapes and is now decoded.
    pub fn find_decoded(&self, name: &str) -> Option<(usize, NodeId)> {
        self.find(name.as_bytes(), 0, name.len())
    }
}

fn first_word(name: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = name.len().min(8);
    word[..len].copy_from_slice(&name[..len]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_others_are_not() {
        let mut trie = Trie::default();
        let lu = trie.insert(0, &["meta", "lastUpdated"]);
        let again = trie.insert(0, &["meta", "lastUpdated"]);
        assert_eq!(lu, again);
        assert_eq!(trie.capture(lu), trie.capture(again));
        let long = trie.insert(0, &["effectiveDateTime"]);
        let bytes = br#"meta lastUpdated effectiveDateTime effectiveDateTimf met"#;
        let root = trie.node(0);
        assert_eq!(root.find(bytes, 0, 4).map(|(index, _)| index), Some(0));
        assert_eq!(root.find(bytes, 17, 34), Some((1, long)));
        assert_eq!(root.find(bytes, 35, 52), None);
        assert_eq!(root.find(bytes, 53, 56), None);
        assert_eq!(root.find(bytes, 52, 56), None);
        assert_eq!(root.find_decoded("meta").map(|(index, _)| index), Some(0));
    }

    #[test]
    fn a_name_at_the_very_end_of_the_bytes_is_found() {
        let mut trie = Trie::default();
        trie.insert(0, &["id"]);
        assert!(trie.node(0).find(b"id", 0, 2).is_some());
        assert!(trie.node(0).find(b"ix", 0, 2).is_none());
    }
}
