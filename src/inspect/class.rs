//! The classes of sensitive data, their names and how much each matters.

/// What is looked for in bodies, header values and query values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum DataClass {
    PaymentCard,
    Email,
    Phone,
    Iban,
    UsSsn,
    AuMedicare,
    AuTfn,
    Passport,
    DateOfBirth,
    HealthId,
    NationalId,
    Jwt,
    PrivateKey,
    ApiKey,
    PasswordHash,
    /// As it is typed.
    Password,
}

/// How much harm a leaked value of a class does on its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    Low,
    Medium,
    High,
    Critical,
}

impl DataClass {
    pub const COUNT: usize = 16;

    /// Every class, in the order of their discriminants.
    pub const ALL: [DataClass; DataClass::COUNT] = [
        DataClass::PaymentCard,
        DataClass::Email,
        DataClass::Phone,
        DataClass::Iban,
        DataClass::UsSsn,
        DataClass::AuMedicare,
        DataClass::AuTfn,
        DataClass::Passport,
        DataClass::DateOfBirth,
        DataClass::HealthId,
        DataClass::NationalId,
        DataClass::Jwt,
        DataClass::PrivateKey,
        DataClass::ApiKey,
        DataClass::PasswordHash,
        DataClass::Password,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            DataClass::PaymentCard => "payment_card",
            DataClass::Email => "email",
            DataClass::Phone => "phone",
            DataClass::Iban => "iban",
            DataClass::UsSsn => "us_ssn",
            DataClass::AuMedicare => "au_medicare",
            DataClass::AuTfn => "au_tfn",
            DataClass::Passport => "passport",
            DataClass::DateOfBirth => "date_of_birth",
            DataClass::HealthId => "health_id",
            DataClass::NationalId => "national_id",
            DataClass::Jwt => "jwt",
            DataClass::PrivateKey => "private_key",
            DataClass::ApiKey => "api_key",
            DataClass::PasswordHash => "password_hash",
            DataClass::Password => "password",
        }
    }

    pub fn from_name(name: &str) -> Option<DataClass> {
        DataClass::ALL.into_iter().find(|class| class.name() == name)
    }

    /// What opens doors by itself, and belongs to no person.
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            DataClass::Jwt | DataClass::PrivateKey | DataClass::ApiKey | DataClass::PasswordHash | DataClass::Password
        )
    }

    /// Keys that open doors are critical; numbers that identify or pay are high; contact data is medium; a JWT is
    /// low, since every login hands one out and it expires.
    pub const fn sensitivity(self) -> Sensitivity {
        match self {
            DataClass::PrivateKey | DataClass::ApiKey | DataClass::PasswordHash | DataClass::Password => {
                Sensitivity::Critical
            }
            DataClass::PaymentCard
            | DataClass::Iban
            | DataClass::UsSsn
            | DataClass::AuMedicare
            | DataClass::AuTfn
            | DataClass::Passport
            | DataClass::HealthId
            | DataClass::NationalId => Sensitivity::High,
            DataClass::Email | DataClass::Phone | DataClass::DateOfBirth => Sensitivity::Medium,
            DataClass::Jwt => Sensitivity::Low,
        }
    }
}

/// Reads a value of each class; what was kept before a class was known has none of it.
pub fn by_class<'de, D, T>(deserializer: D) -> Result<[T; DataClass::COUNT], D::Error>
where
    D: serde::Deserializer<'de>,
    T: Copy + Default + serde::Deserialize<'de>,
{
    let kept: Vec<T> = serde::Deserialize::deserialize(deserializer)?;
    if kept.len() > DataClass::COUNT {
        return Err(serde::de::Error::invalid_length(kept.len(), &"at most a value of each class"));
    }
    let mut values = [T::default(); DataClass::COUNT];
    values.iter_mut().zip(kept).for_each(|(value, kept)| *value = kept);
    Ok(values)
}

impl std::fmt::Display for DataClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back_to_their_class() {
        for (index, class) in DataClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
            assert_eq!(DataClass::from_name(class.name()), Some(class));
        }
        assert_eq!(DataClass::from_name("postcode"), None);
    }

    #[test]
    fn what_was_kept_of_fewer_classes_is_read_and_what_is_of_more_is_not() {
        let read = |text: &str| by_class::<_, u64>(&mut serde_json::Deserializer::from_str(text));
        let values = read("[1,2,3]").unwrap();
        assert_eq!((values[0], values[2], values[3], values.len()), (1, 3, 0, DataClass::COUNT));
        assert!(read(&format!("{:?}", [0; DataClass::COUNT + 1])).is_err());
    }
}
