# What nodes share, as deploy/secrets.sh makes it. Terraform makes the empty boxes and never sees what is in them, so that it is not in
# the state; outputs.tf says how they are filled. A node that finds one empty tries again until it is not.

resource "aws_secretsmanager_secret" "shared" {
  for_each = toset(["cluster-secret", "credentials"])

  name        = "${var.name}/${each.key}"
  description = "Of the nodes of ${var.name}"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "node" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in aws_secretsmanager_secret.shared : secret.arn]
  }

  statement {
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${var.release.bucket}/${var.release.key}"]
  }
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "node" {
  name   = "${var.name}-node"
  role   = aws_iam_role.node.id
  policy = data.aws_iam_policy_document.node.json
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-node"
  role = aws_iam_role.node.name
}
