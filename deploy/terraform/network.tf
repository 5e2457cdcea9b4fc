# Private subnets, one in each zone, with no route out of the VPC: the counterpart of DAX's subnet group. What a node needs of AWS it
# reaches over endpoints.

data "aws_region" "this" {}

resource "aws_subnet" "zone" {
  for_each = var.zones

  vpc_id            = var.vpc_id
  availability_zone = each.key
  cidr_block        = each.value.cidr
  tags              = { Name = "${var.name}-${each.key}" }
}

# A table of its own without a route to the internet, whatever the VPC's main table has.
resource "aws_route_table" "private" {
  vpc_id = var.vpc_id
  tags   = { Name = var.name }
}

resource "aws_route_table_association" "zone" {
  for_each = aws_subnet.zone

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.this.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
}

resource "aws_vpc_endpoint" "secrets" {
  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.this.region}.secretsmanager"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.zone : subnet.id]
  security_group_ids  = [aws_security_group.endpoint.id]
}

resource "aws_security_group" "node" {
  name        = "${var.name}-nodes"
  description = "Nodes of ${var.name}"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "endpoint" {
  name        = "${var.name}-endpoints"
  description = "What nodes of ${var.name} need of AWS"
  vpc_id      = var.vpc_id
}

locals {
  client_ports = { http = 8000, dax = 8111, dax_tls = 9111, grpc = 8500 }
  clients = {
    for pair in setproduct(keys(local.client_ports), var.client_security_group_ids) :
    "${pair[0]}-${pair[1]}" => { port = local.client_ports[pair[0]], group = pair[1] }
  }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = local.clients

  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "monitoring" {
  for_each = var.monitoring_security_group_ids

  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_vpc_security_group_ingress_rule" "peer" {
  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 8501
  to_port                      = 8501
}

resource "aws_vpc_security_group_egress_rule" "peer" {
  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 8501
  to_port                      = 8501
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = aws_security_group.endpoint.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = aws_security_group.node.id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "secrets" {
  security_group_id            = aws_security_group.endpoint.id
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# One name for clients, that answers with all nodes: the counterpart of DAX's cluster endpoint.
resource "aws_route53_zone" "private" {
  name = "${var.name}.internal"

  vpc {
    vpc_id = var.vpc_id
  }
}

resource "aws_route53_record" "cluster" {
  zone_id = aws_route53_zone.private.zone_id
  name    = aws_route53_zone.private.name
  type    = "A"
  ttl     = 30
  records = [for zone, address in local.addresses : address]
}
