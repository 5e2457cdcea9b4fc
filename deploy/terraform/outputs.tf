output "endpoint" {
  description = "What clients are given: dax://NAME:8111, http://NAME:8000, NAME:8500 for gRPC."
  value       = aws_route53_zone.private.name
}

output "nodes" {
  description = "The nodes, by zone."
  value       = local.addresses
}

output "before_the_first_start" {
  description = "What is done by hand, once: the release is put into S3 before `terraform apply`, the secrets are filled after it."
  value       = <<-TEXT
    tar -czf forebay.tar.gz --transform 's,.*/,,' ~/.cache/forebay/release/forebay deploy/systemd/forebay.service deploy/systemd/forebay.sysusers
    aws s3 cp forebay.tar.gz s3://${var.release.bucket}/${var.release.key}

    deploy/secrets.sh secrets
    %{for secret in aws_secretsmanager_secret.shared~}
    aws secretsmanager put-secret-value --secret-id ${secret.name} --secret-string file://secrets/${basename(secret.name)}
    %{endfor~}
  TEXT
}
