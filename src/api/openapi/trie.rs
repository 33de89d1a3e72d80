//! Path templates as a trie over segments.
//!
//! At each segment a literal wins over a pattern with a literal part (`report.{format}`), the pattern with the longest
//! literal part over the others, any pattern over a parameter, and a parameter over a greedy tail (`{proxy+}`, as API
//! gateways write it). That is OpenAPI's "concrete before templated", with backtracking where a more concrete branch has
//! no operation for the method. One look-up takes at most [`MAX_STEPS`] steps and allocates nothing.

use hashbrown::HashMap;
use smallvec::SmallVec;

/// Nodes one look-up visits. A path of ten segments visits about ten; only a description made for it visits thousands.
const MAX_STEPS: usize = 2048;
/// Longest literal segment; what is longer is in no description.
const MAX_LITERAL_BYTES: usize = 128;

type Hasher = foldhash::fast::FixedState;

/// Where an operation is: index of the description and of the operation in it.
pub type OperationIndex = (u32, u32);

#[derive(Debug)]
pub struct Endpoint {
    /// With base path, as the description writes it.
    pub template: String,
    pub methods: Vec<(String, OperationIndex)>,
}

impl Endpoint {
    pub fn operation(&self, method: &str) -> Option<OperationIndex> {
        self.methods.iter().find(|(name, _)| name == method).map(|(_, index)| *index)
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize, Hasher>,
    patterns: Vec<(Pattern, usize)>,
    parameter: Option<usize>,
    endpoint: Option<usize>,
    /// Endpoint of a tail of one segment and more.
    greedy: Option<usize>,
    /// A base path ends here: everything below belongs to a description.
    is_base: bool,
}

#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    endpoints: Vec<Endpoint>,
}

impl Default for Trie {
    fn default() -> Trie {
        Trie { nodes: vec![Node::default()], endpoints: Vec::new() }
    }
}

impl Trie {
    pub fn insert(&mut self, template: &str, method: &str, index: OperationIndex) {
        let (mut at, mut is_greedy) = (0, false);
        for segment in template_segments(template) {
            if is_greedy_segment(segment) {
                is_greedy = true;
                break;
            }
            at = self.child(at, segment);
        }
        let slot = if is_greedy { self.nodes[at].greedy } else { self.nodes[at].endpoint }; // `at` comes from `child`
        let endpoint = slot.unwrap_or_else(|| {
            self.endpoints.push(Endpoint { template: template.to_owned(), methods: Vec::new() });
            let endpoint = self.endpoints.len() - 1;
            let node = &mut self.nodes[at]; // as above
            *(if is_greedy { &mut node.greedy } else { &mut node.endpoint }) = Some(endpoint);
            endpoint
        });
        let methods = &mut self.endpoints[endpoint].methods; // an index of our own
        if !methods.iter().any(|(name, _)| name == method) {
            methods.push((method.to_owned(), index));
        }
    }

    /// Marks where a description begins, for [`Trie::covers`].
    pub fn insert_base(&mut self, base_path: &str) {
        let at = template_segments(base_path).fold(0, |at, segment| self.child(at, segment));
        self.nodes[at].is_base = true; // `at` comes from `child`
    }

    fn child(&mut self, at: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[at]; // only indices of nodes that exist are handed out
        let child = match Pattern::of(segment) {
            Shape::Literal(literal) => *node.literals.entry(literal.into()).or_insert(next),
            Shape::Parameter => *node.parameter.get_or_insert(next),
            Shape::Pattern(pattern) => match node.patterns.iter().find(|(known, _)| *known == pattern) {
                Some((_, child)) => *child,
                None => {
                    node.patterns.push((pattern, next));
                    node.patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.literal_bytes()));
                    next
                }
            },
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The endpoint of a path that has the method, else the most concrete one that has another.
    pub fn find(&self, segments: &[&str], method: &str) -> Option<&Endpoint> {
        let mut search = Search { trie: self, method, steps: MAX_STEPS, other: None };
        search.below(0, segments).or(search.other).and_then(|endpoint| self.endpoints.get(endpoint))
    }

    /// Whether a base path of this trie is a prefix of the path.
    pub fn covers(&self, segments: &[&str]) -> bool {
        let mut steps = MAX_STEPS;
        self.covers_below(0, segments, &mut steps)
    }

    fn covers_below(&self, at: usize, segments: &[&str], steps: &mut usize) -> bool {
        let Some(node) = self.nodes.get(at).filter(|_| *steps > 0) else { return false };
        *steps -= 1;
        if node.is_base {
            return true;
        }
        let [first, rest @ ..] = segments else { return false };
        self.children(node, first).any(|child| self.covers_below(child, rest, steps))
    }

    /// The literal child of a segment, as written or as decoded.
    #[inline]
    fn literal(&self, node: &Node, segment: &str) -> Option<usize> {
        if node.literals.is_empty() {
            return None;
        }
        let written = node.literals.get(segment).copied();
        if written.is_none() && segment.contains('%') { Trie::decoded_literal(node, segment) } else { written }
    }

    fn decoded_literal(node: &Node, segment: &str) -> Option<usize> {
        let mut decoded: SmallVec<[u8; MAX_LITERAL_BYTES]> = SmallVec::new();
        let mut rest = segment.as_bytes();
        while let Some((byte, taken)) = crate::api::url::decode_byte(rest) {
            if decoded.len() == MAX_LITERAL_BYTES {
                return None;
            }
            decoded.push(byte);
            rest = rest.get(taken..).unwrap_or_default();
        }
        std::str::from_utf8(&decoded).ok().and_then(|decoded| node.literals.get(decoded).copied())
    }

    /// The children that a segment leads to, most concrete first.
    #[inline]
    fn children<'a>(&'a self, node: &'a Node, segment: &'a str) -> impl Iterator<Item = usize> + 'a {
        let patterns = node.patterns.iter().filter(|(pattern, _)| pattern.matches(segment)).map(|(_, child)| *child);
        self.literal(node, segment).into_iter().chain(patterns).chain(node.parameter)
    }
}

struct Search<'a> {
    trie: &'a Trie,
    method: &'a str,
    steps: usize,
    /// The first endpoint found that has other methods only.
    other: Option<usize>,
}

impl Search<'_> {
    fn below(&mut self, at: usize, segments: &[&str]) -> Option<usize> {
        let node = self.trie.nodes.get(at).filter(|_| self.steps > 0)?;
        self.steps -= 1;
        let [first, rest @ ..] = segments else { return node.endpoint.and_then(|endpoint| self.judge(endpoint)) };
        // Depth is that of the trie at most: a child is one segment longer than its parent.
        for child in self.trie.children(node, first) {
            if let Some(endpoint) = self.below(child, rest) {
                return Some(endpoint);
            }
        }
        node.greedy.and_then(|endpoint| self.judge(endpoint))
    }

    fn judge(&mut self, endpoint: usize) -> Option<usize> {
        if self.trie.endpoints.get(endpoint)?.operation(self.method).is_some() {
            return Some(endpoint);
        }
        self.other.get_or_insert(endpoint);
        None
    }
}

/// The segments of a template: as of a path, but a brace may hold a `;`, and dots mean nothing.
fn template_segments(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter(|segment| !segment.is_empty())
}

fn is_greedy_segment(segment: &str) -> bool {
    segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains('{') && (name.ends_with(['+', '*']) || name.starts_with(['+', '*', '/'])))
}

/// What a segment of a template, or a label of a host, matches.
pub enum Shape<'a> {
    Literal(&'a str),
    Parameter,
    Pattern(Pattern),
}

/// Literal pieces with something, at least one byte, between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    prefix: String,
    middles: Vec<String>,
    suffix: String,
}

impl Pattern {
    pub fn of(segment: &str) -> Shape<'_> {
        let mut pieces = Vec::new();
        let mut rest = segment;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((_, after)) = behind.split_once('}') else { break };
            pieces.push(before);
            rest = after;
        }
        if pieces.is_empty() {
            return Shape::Literal(segment);
        }
        // Matrix and other operators of RFC 6570 add what the server sees as parameters: `/users{;fields}`.
        let prefix = pieces.remove(0);
        if prefix.is_empty() && pieces.iter().all(|piece| piece.is_empty()) && rest.is_empty() {
            return Shape::Parameter;
        }
        let middles = pieces.into_iter().filter(|piece| !piece.is_empty()).map(str::to_owned).collect();
        Shape::Pattern(Pattern { prefix: prefix.to_owned(), middles, suffix: rest.to_owned() })
    }

    pub fn literal_bytes(&self) -> usize {
        self.prefix.len() + self.suffix.len() + self.middles.iter().map(String::len).sum::<usize>()
    }

    pub fn matches(&self, text: &str) -> bool {
        let inner = text.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_suffix(self.suffix.as_str()));
        let Some(mut rest) = inner else { return false };
        for middle in &self.middles {
            // At least one character stands before each literal.
            let Some(first) = rest.chars().next() else { return false };
            let behind = rest.get(first.len_utf8()..).unwrap_or_default();
            match behind.split_once(middle.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        !rest.is_empty()
    }
}
