//! One type of a BTF file: its head, and what follows it.

use super::word;

/// `BTF_KIND_*`.
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

const HEAD: usize = 12;

/// A type's head and the bytes behind it.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    /// Offset of its name; 0: anonymous.
    pub name: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// Bit fields carry their size in a member's offset.
    pub has_bit_fields: bool,
    /// Size, or the type that it refers to.
    pub size_or_type: u32,
    items: &'a [u8],
}

/// A member of a structure or union.
pub struct Member {
    /// Offset of its name; 0: anonymous.
    pub name: u32,
    /// Its type.
    pub type_id: u32,
    /// Byte offset; `None` for a bit field.
    pub byte: Option<u32>,
}

impl<'a> Type<'a> {
    /// Reads the type at the start of `data`; `None` if it is cut short or of an unknown kind.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let info = word(data, 4)?;
        let kind = info >> 24 & 0x1f;
        let count = (info & 0xffff) as usize;
        let length = match kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => count * 12,
            kind::ENUM | kind::FUNC_PROTO => count * 8,
            kind::PTR | 7..=12 | 16 | kind::TYPE_TAG => 0,
            _ => return None,
        };
        Some(Self {
            name: word(data, 0)?,
            kind,
            has_bit_fields: info >> 31 != 0,
            size_or_type: word(data, 8)?,
            items: data.get(HEAD..HEAD + length)?,
        })
    }

    /// Bytes of the whole.
    pub fn size(&self) -> usize {
        HEAD + self.items.len()
    }

    /// Members, if it is a structure or union.
    pub fn members(&self) -> impl Iterator<Item = Member> + 'a {
        let has_bit_fields = self.has_bit_fields;
        let is_composite = matches!(self.kind, kind::STRUCT | kind::UNION);
        let items = if is_composite { self.items } else { &[] };
        items.chunks_exact(12).filter_map(move |item| {
            let offset = word(item, 8)?;
            let (bits, is_field) = if has_bit_fields {
                (offset & 0xff_ffff, offset >> 24 != 0)
            } else {
                (offset, false)
            };
            let byte = (!is_field && bits % 8 == 0).then_some(bits / 8);
            Some(Member { name: word(item, 0)?, type_id: word(item, 4)?, byte })
        })
    }

    /// Name offsets and values, if it is an enumeration. Values above 32 bits are cut.
    pub fn values(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let width = match self.kind {
            kind::ENUM => 8,
            kind::ENUM64 => 12,
            _ => usize::MAX,
        };
        self.items.chunks_exact(width).filter_map(|item| Some((word(item, 0)?, word(item, 4)?)))
    }

    /// Number of parameters, if it is a function's prototype.
    pub fn parameters(&self) -> usize {
        if self.kind == kind::FUNC_PROTO { self.items.len() / 8 } else { 0 }
    }
}
